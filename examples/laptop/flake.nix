# A laptop that boots only what its own TPM has signed, and whose PCR values are known before it boots. README.md says how it is set up.
{
  description = "A laptop: Secure Boot by a key in its TPM, measured boot";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    touchstone.url = "github:touchstone-boot/touchstone";
    touchstone.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { nixpkgs, touchstone, ... }:
    let
      system = "x86_64-linux";
      laptop = nixpkgs.lib.nixosSystem {
        modules = [ touchstone.nixosModules.default ./configuration.nix ];
      };
      inherit (laptop.config.system.build) bootArtifacts;
      inherit (touchstone.lib) checks;
    in
    {
      nixosConfigurations.laptop = laptop;

      # nix build .#boot-artifacts: what the machine will sign and put onto the ESP, and what its PCRs will hold then.
      packages.${system}.boot-artifacts = bootArtifacts;

      # nix flake check
      checks.${system} = {
        artifacts = checks.artifactsVerify { artifacts = bootArtifacts; };
        bootspec = checks.bootspecValid { artifacts = bootArtifacts; };
        esp = checks.espFits { artifacts = [ bootArtifacts ]; size = "512M"; generations = 3; };
        secrets = checks.noSecretsInStore { inherit (laptop.config.system.build) toplevel; };
      };
    };
}
