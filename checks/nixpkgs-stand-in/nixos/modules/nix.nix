# The Nix of a machine: options with the types and defaults of nixpkgs. From nixos/modules:
#   config/nix.nix                        013635633ffe
#   services/system/nix-daemon.nix        025640dcb727
{ lib, pkgs, ... }:

let
  inherit (lib) mkOption types;
  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path types.package ]);
in
{
  options.nix = {
    enable = mkOption { type = types.bool; default = true; };
    package = mkOption { type = types.package; default = pkgs.nix; };
    settings = mkOption {
      type = types.submodule { freeformType = types.attrsOf (types.either atom (types.listOf atom)); };
      default = { };
    };
  };
}
