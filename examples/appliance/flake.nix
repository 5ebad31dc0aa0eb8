# A machine that nobody logs into: its generations are sealed, it has no shell, no Nix and no other interpreter, and when an update does not
# come up, it goes back by itself. README.md says how it is made and updated.
{
  description = "An appliance: sealed, without interpreters, updated and falling back by itself";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    touchstone.url = "github:touchstone-boot/touchstone";
    touchstone.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { nixpkgs, touchstone, ... }:
    let
      system = "x86_64-linux";
      appliance = nixpkgs.lib.nixosSystem {
        modules = [ touchstone.nixosModules.default ./configuration.nix ];
      };
      inherit (appliance.config.system.build) noInterpreters signingRequests toplevel;
      inherit (touchstone.lib) checks;
    in
    {
      nixosConfigurations.appliance = appliance;

      packages.${system} = {
        # nix build .#requests: what is to be signed, built without any signature.
        requests = signingRequests;
        # nix build .#update: the generation, with its signatures in it.
        update = toplevel;
      };

      # nix flake check
      checks.${system} = {
        artifacts = checks.artifactsVerify { artifacts = toplevel; };
        esp = checks.espFits { artifacts = [ toplevel ]; size = "512M"; generations = 4; };
        interpreters = noInterpreters;
        secrets = checks.noSecretsInStore { inherit toplevel; };
        signatures = checks.signaturesVerify { artifacts = toplevel; db = ./keys/db.esl; };
      };
    };
}
