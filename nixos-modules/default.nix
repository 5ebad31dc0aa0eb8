# Touchstone's NixOS modules: import this file, or `nixosModules.default` of the flake, which sets `boot.touchstone.package` as well.
# Nothing changes until `boot.touchstone.enable = true` (or, for the plugin, `boot.touchstone.plugin.enable = true`, and for the
# signing agent `boot.touchstone.agent.enable = true`).
{
  imports = [
    ./touchstone.nix
    ./signing.nix
    ./uki.nix
    ./measured-boot.nix
    ./bootspec.nix
    ./artifacts.nix
    ./sealed.nix
    ./loader.nix
    ./boot-counting.nix
    ./interpreterless.nix
    ./verify.nix
    ./nix-plugin.nix
    ./agent.nix
  ];
}
