# A profile without shell, in the manner of nixpkgs' own (nixos/modules/profiles/bashless.nix at 30f6c6982ed6), with the options that the
# stand-in has.
{ lib, ... }:

{
  imports = [ ./perlless.nix ];

  system.nixos-init.enable = lib.mkDefault true;
  system.activatable = lib.mkDefault false;
  environment.shell.enable = lib.mkDefault false;
  programs.bash.enable = lib.mkDefault false;
  nix.enable = lib.mkDefault false;
  security.enableWrappers = lib.mkDefault false;
  system.forbiddenDependenciesRegexes = [ "bash" ];
}
