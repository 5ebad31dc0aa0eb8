# A configuration for `cargo xtask bench`, which asks what its evaluation costs: the options that Touchstone touches, as many others as a NixOS
# has, each with a value that depends on another one's, one in ten with an assertion about it, and some specialisations. `way` is how
# Touchstone is used:
#
#   "without"     not imported
#   "beside"      boot artifacts beside the toplevel: both are evaluated
#   "sealed"      a sealed toplevel
#
# nixpkgs is a path; the answer is the path of the derivation that would be built.
{ nixpkgs, way, options ? 15000, specialisations ? 0 }:

let
  lib = import "${nixpkgs}/lib";
  inherit (lib) genAttrs mkOption range types;

  numbers = map toString (range 1 options);

  # One option in ten has submodules for a value.
  many = { config, ... }: {
    options.many = genAttrs numbers (number:
      if lib.hasSuffix "0" number then
        mkOption
          {
            type = types.attrsOf (types.submodule { options.enable = mkOption { type = types.bool; default = false; }; });
            default.one.enable = config.many."1" == number;
          }
      else mkOption { type = types.str; default = if number == "1" then "1" else config.many."1"; });
    config.system.systemBuilderCommands = builtins.deepSeq config.many "";
    config.assertions = map (number: { assertion = config.many.${number} != ""; message = number; })
      (lib.filter (lib.hasSuffix "1") numbers);
  };

  touchstone = {
    imports = [ ../nixos-modules ];
    boot.touchstone = {
      enable = true;
      # Nothing is built.
      package = derivation { name = "touchstone"; system = "x86_64-linux"; builder = "/not-a-real-package"; };
      sealed.enable = way == "sealed";
      signing = { method = "detached"; certificate = ./evaluation-cost.nix; signatures = ./nixpkgs-stand-in; };
    };
  };

  machine = import "${nixpkgs}/nixos/lib/eval-config.nix" {
    inherit lib;
    system = "x86_64-linux";
    modules = [
      many
      {
        specialisation = genAttrs (map toString (range 1 specialisations)) (_: { });
      }
    ] ++ lib.optional (way != "without") touchstone;
  };

  inherit (machine.config.system.build) toplevel bootArtifacts;
in
{
  without = toplevel.drvPath;
  sealed = toplevel.drvPath;
  beside = "${toplevel.drvPath} ${bootArtifacts.drvPath}";
}.${way}
