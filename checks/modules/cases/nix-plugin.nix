# The plugin: which file Nix is told of, and for which Nix it is compiled.
{ lib, is, bareOf, configOf, evaluates, failing, pluginFor, crossPkgs, minimal, ... }:

let
  inherit (lib) mkForce;
  plugin = { boot.touchstone.plugin.enable = true; };
  plain = configOf { };
  loaded = configOf plugin;
  with' = module: configOf { imports = [ plugin module ]; };
  fileOf = package: "${package}/lib/nix/plugins/libtouchstone-nix.so";

  # Nix of the same version, built otherwise.
  another = derivation { name = "nix-patched"; system = "x86_64-linux"; builder = "/not-a-real-builder"; } // { pname = "nix"; inherit (plain.nix.package) version; };
  warnings = config: lib.filter (lib.hasPrefix "boot.touchstone.plugin.") config.warnings;

  # Packages with the flake's overlay.
  overlaid = crossPkgs // { inherit (import ../../../nix-plugin/package.nix { pkgs = crossPkgs; }) touchstone-nix; };

  # The package as the flake has it, with the packages of the stand-in.
  real = { config, pkgs, ... }: {
    boot.touchstone.plugin.package = ((import ../../../nix-plugin/package.nix { inherit pkgs; }).touchstone-nix.override { nix = config.nix.package; });
  };
in
{
  "off, Nix loads nothing" = is false (plain.nix.settings ? plugin-files);
  "off, no package of a plugin is needed" = is true (evaluates (bareOf { }).nix.settings);
  "Nix is told of the file" = is [ (fileOf (pluginFor plain.nix.package)) ] loaded.nix.settings.plugin-files;
  "beside the plugins of others" = is 2 (lib.length (with' { nix.settings.plugin-files = [ "/run/other.so" ]; }).nix.settings.plugin-files);
  "a configuration that sets nothing but the switch is valid" = is [ ] (failing loaded);
  "it needs nothing else of Touchstone" = is [ (fileOf (pluginFor plain.nix.package)) [ ] ]
    (
      let config = with' { boot.touchstone.enable = mkForce false; };
      in [ (lib.head config.nix.settings.plugin-files) (failing config) ]
    );
  "it is compiled for the Nix of the configuration" = is (fileOf (pluginFor another))
    (lib.head (with' { nix.package = another; }).nix.settings.plugin-files);
  "the flake's is, too" = is another.outPath (with' { imports = [ real ]; nix.package = another; }).boot.touchstone.plugin.package.nix.outPath;
  "and says for which" = is plain.nix.package.version (with' real).boot.touchstone.plugin.package.nixVersion;
  "another build of the same version is warned of" = is 1
    (lib.length (warnings (with' { nix.package = another; boot.touchstone.plugin.package = pluginFor plain.nix.package; })));
  "the same build is not" = is [ ] (warnings loaded);
  "without a package, who has one is named" = is false (evaluates (bareOf plugin).nix.settings.plugin-files);
  "what a build of the system makes does not depend on it" = is plain.system.build.bootArtifacts.drvPath loaded.system.build.bootArtifacts.drvPath;
}
  // lib.optionalAttrs minimal {
  "with the overlay, its package is taken, for the Nix of the configuration" = is [ "touchstone-nix" another.outPath ]
    (
      let inherit ((bareOf { imports = [ plugin ]; nix.package = another; _module.args.pkgs = mkForce overlaid; }).boot.touchstone.plugin) package;
      in [ package.pname package.nix.outPath ]
    );
}
