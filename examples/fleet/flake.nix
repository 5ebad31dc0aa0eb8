# Hosts that hold no key: their generations are sealed, and one builder's agent signs them while they are built. README.md says how.
{
  description = "A fleet of sealed generations, signed by the agent of one builder";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    touchstone.url = "github:touchstone-boot/touchstone";
    touchstone.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { nixpkgs, touchstone, ... }:
    let
      system = "x86_64-linux";
      inherit (nixpkgs) lib;
      inherit (touchstone.lib) checks;

      # What distinguishes the hosts.
      hosts = {
        web1.address = "192.0.2.11";
        web2.address = "192.0.2.12";
        database.address = "192.0.2.21";
      };

      host = name: { address }: lib.nixosSystem {
        modules = [
          touchstone.nixosModules.default
          ./configuration.nix
          {
            networking.hostName = name;
            networking.interfaces.eth0.ipv4.addresses = [{ inherit address; prefixLength = 24; }];
          }
        ];
      };

      machines = lib.mapAttrs host hosts;
      build = lib.mapAttrs (_: machine: machine.config.system.build) machines;
      each = prefix: make: lib.mapAttrs' (name: built: lib.nameValuePair "${prefix}-${name}" (make built)) build;
    in
    {
      nixosConfigurations = machines // {
        builder = lib.nixosSystem { modules = [ touchstone.nixosModules.default ./builder.nix ]; };
      };

      # nix build .#sealed-web1: the generation, with its signatures in it.
      packages.${system} = each "sealed" (built: built.toplevel);

      # nix flake check
      checks.${system} =
        each "signatures"
          (built: checks.signaturesVerify {
            artifacts = built.toplevel;
            db = ./keys/db.esl;
            trustedKeys = [ (lib.removeSuffix "\n" (builtins.readFile ./keys/nix.pub)) ];
          })
        // each "artifacts" (built: checks.artifactsVerify { artifacts = built.toplevel; })
        // each "secrets" (built: checks.noSecretsInStore { inherit (built) toplevel; })
        // each "esp" (built: checks.espFits { artifacts = [ built.toplevel ]; size = "512M"; generations = 3; });
    };
}
