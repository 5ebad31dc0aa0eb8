# What NixOS' module for disk images (image/repart.nix) is asked for by checks/nixos-test.nix.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.image = {
    fileName = mkOption { type = types.str; default = "${config.image.repart.name}.raw"; };
    repart = {
      name = mkOption { type = types.str; };
      partitions = mkOption {
        default = { };
        type = types.attrsOf (types.submodule {
          options = {
            contents = mkOption {
              default = { };
              type = types.attrsOf (types.submodule { options.source = mkOption { type = types.path; }; });
            };
            storePaths = mkOption { type = types.listOf types.path; default = [ ]; };
            repartConfig = mkOption { type = types.attrsOf (types.oneOf [ types.str types.int types.bool ]); };
          };
        });
      };
    };
  };

  config.system.build.image = derivation {
    name = config.image.repart.name;
    inherit (pkgs) system;
    builder = "/not-a-real-package";
    partitions = builtins.toJSON config.image.repart.partitions;
  };
}
