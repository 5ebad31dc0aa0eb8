# The assertions about the plugin: as in ../assertions.nix.
{ lib, pluginFor, ... }:

let
  inherit (lib) mkForce;
  says = "boot.touchstone.plugin.";
  plugin = settings: { boot.touchstone.plugin = { enable = true; } // settings; };

  # A Nix by its name and version.
  nix = pname: version: derivation { name = "${pname}-${version}"; system = "x86_64-linux"; builder = "/not-a-real-builder"; } // { inherit pname version; };
in
{
  "a plugin where there is no Nix" = {
    broken = { imports = [ (plugin { }) ]; nix.enable = false; };
    says = "${says}enable: there is no Nix in this configuration";
    mended = { nix.enable = mkForce true; };
  };
  "a plugin for Lix" = {
    broken = { imports = [ (plugin { }) ]; nix.package = nix "lix" "2.93.3"; };
    says = "${says}enable: `nix.package` is Lix,";
    mended = { nix.package = mkForce (nix "nix" "2.31.2"); };
  };
  "a plugin for a Nix before it" = {
    broken = { imports = [ (plugin { }) ]; nix.package = nix "nix" "2.25.5"; };
    says = "${says}enable: `nix.package` is Nix 2.25.5, and the plugin is written for 2.26";
    mended = { nix.package = mkForce (nix "nix" "2.26.0"); };
  };
  "a plugin that does not say for which Nix it is" = {
    broken = plugin { package = derivation { name = "plugin"; system = "x86_64-linux"; builder = "/not-a-real-builder"; }; };
    says = "${says}package: the package does not say for which Nix";
    mended = { boot.touchstone.plugin.package = mkForce (pluginFor (nix "nix" "2.31.2")); };
  };
  "a plugin for another Nix" = {
    broken = { imports = [ (plugin { package = pluginFor (nix "nix" "2.31.2"); }) ]; nix.package = nix "nix" "2.30.3"; };
    says = "${says}package: the plugin was compiled for Nix 2.31.2, and `nix.package` is Nix 2.30.3";
    mended = { nix.package = mkForce (nix "nix" "2.31.2"); };
  };
}
