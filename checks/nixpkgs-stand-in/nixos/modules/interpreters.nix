# By what NixOS is started and activated: options with the types and defaults of nixpkgs. From nixos/modules:
#   system/etc/etc-activation.nix          of later releases (system.etc.overlay)
#   system/activation/nixos-init.nix       036e02bd13be
#   services/system/userborn.nix           2673362ab77e
#   system/boot/systemd/sysusers.nix       02d79c9c8bcb
#   system/activation/top-level.nix        01502f439c6a (forbiddenDependenciesRegexes)
#   environment.shell.enable, programs.bash.enable, security.enableWrappers as profiles/bashless.nix (30f6c6982ed6) sets them
{ lib, ... }:

let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  off = option types.bool false;
  on = option types.bool true;
in
{
  options = {
    system.etc.overlay = { enable = off; mutable = on; };
    system.nixos-init.enable = off;
    services.userborn.enable = off;
    systemd.sysusers.enable = off;
    environment.shell.enable = on;
    programs.bash.enable = on;
    security.enableWrappers = on;
    system.forbiddenDependenciesRegexes = option (types.listOf types.str) [ ];
  };
}
