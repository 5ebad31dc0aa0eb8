# `nix run .#demo`, from a checkout: the tools that `cargo xtask demo` needs on a machine without Debian's, and then that command.
{ pkgs }:

pkgs.writeShellApplication {
  name = "touchstone-demo";
  runtimeInputs = [ pkgs.rustup pkgs.stdenv.cc pkgs.apt pkgs.dpkg pkgs.gnupg pkgs.util-linux ];
  text = ''exec cargo xtask demo "$@"'';
}
