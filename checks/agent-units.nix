# The units of the signing agent as the NixOS module has them, as data: for each its sections, of settings each with one value or several.
#   nixpkgs   a folder with lib and nixos/lib/eval-config.nix
{ nixpkgs }:

let
  package = derivation { name = "touchstone"; system = "x86_64-linux"; builder = "/not-a-real-builder"; };
  config = (import (nixpkgs + "/nixos/lib/eval-config.nix") {
    system = "x86_64-linux";
    modules = [
      ../nixos-modules
      {
        boot.loader.grub.enable = false;
        boot.loader.touchstone.packages = { touchstone = package; touchstone-full = package; touchstone-stage1 = package; };
        boot.touchstone.agent = {
          enable = true;
          keys.db = { kind = "image"; key = "/lab/db.key"; certificate = builtins.toFile "db.pem" "db"; };
          images.known.loader.files = [ (builtins.toFile "loader" "loader") ];
          rules.people = { users = [ "root" ]; operations = [{ authenticode = { key = "db"; image = "known"; }; }]; };
          log = { checkpointKey = "/lab/log.key"; exports = [ "/lab/exports" ]; };
        };
      }
    ];
  }).config;
  service = config.systemd.services.touchstone-agent;
in
builtins.mapAttrs (_: socket: { Socket = socket.socketConfig; }) config.systemd.sockets // {
  touchstone-agent = {
    Unit = { Requires = service.requires; After = service.after; };
    Service = service.serviceConfig;
  };
}
