# Evaluates a NixOS configuration as nixpkgs' file of this name does (nixos/lib/eval-config.nix at 02aa3c00c934), with the few modules beside
# this folder. `noUserModules` is what a specialisation without its parent's configuration is made of.
{ system ? null, lib ? import ../../lib, modules, specialArgs ? { } }:

let
  base = [
    ../modules/activation.nix
    ../modules/boot.nix
    ../modules/initrd.nix
    ../modules/interpreters.nix
    ../modules/loaders.nix
    ../modules/machine.nix
    ../modules/nix.nix
    ../modules/services.nix
    ../modules/units.nix
    { nixpkgs = lib.mkIf (system != null) { hostPlatform = lib.mkDefault system; }; }
  ];

  noUserModules = lib.evalModules {
    specialArgs = { modulesPath = toString ../modules; } // specialArgs;
    modules = base ++ [{ _module.args = { inherit noUserModules; }; }];
  };
in
noUserModules.extendModules { inherit modules; }
