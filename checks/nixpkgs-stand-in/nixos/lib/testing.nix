# `pkgs.testers.runNixOSTest`: a test of whole machines as a derivation that nobody builds, for which the machines and the script of the
# test are evaluated.
{ lib, pkgs }:

test:

let
  node = module: (import ./eval-config.nix {
    inherit lib;
    modules = [ ../modules/virtualisation/qemu-vm.nix module ];
  }).config;
  nodes = lib.mapAttrs (_: node) test.nodes;
  script = test.testScript { inherit nodes; };
in
derivation
  {
    name = "vm-test-run-${test.name}";
    inherit (pkgs) system;
    builder = "/not-a-real-package";
    inherit script;
  } // { inherit nodes script; }
