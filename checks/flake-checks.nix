# What `nix flake check` builds: the generations of ./generations.nix, from nixpkgs' kernel and systemd, unsigned (a private key must
# not enter a build) and with the PCRs that can be predicted without Secure Boot variables; and every check that needs no signature
# (docs/checks.md), on them.
{ self, nixpkgs, system }:

let
  pkgs = nixpkgs.legacyPackages.${system};
  efi = { x86_64-linux = "x64"; aarch64-linux = "aa64"; }.${system};
  generations = import ./generations.nix {
    inherit system;
    inherit (self.packages.${system}) touchstone probe;
    kernel = "${pkgs.linuxPackages.kernel}/${pkgs.stdenv.hostPlatform.linux-kernel.target}";
    stub = "${pkgs.systemd}/lib/systemd/boot/efi/linux${efi}.efi.stub";
    loader = "${pkgs.systemd}/lib/systemd/boot/efi/systemd-boot${efi}.efi";
  };
  inherit (generations.artifacts) generation1 generation2;
  inherit (generations.lib) checks;
in
{
  inherit generation1 generation2;

  # The second one with its specialisation, as a profile takes it.
  generation2-sealed = generations.sealed.generation2;

  # What was predicted while the UKI was written is what the finished files say.
  pcrs-unchanged = checks.pcrsUnchanged {
    expected = "${generation1}/pcrs.json";
    actual = generations.lib.predictPcrs {
      loader = "${generation1}/loader.efi";
      uki = "${generation1}/uki.efi";
      inherit (generation1.request) measure;
    };
    pinned = "pcrs.json";
  };

  artifacts-verify = checks.artifactsVerify { artifacts = generation2; };
  artifacts-verify-sealed = checks.artifactsVerify { artifacts = generations.sealed.generation2; };
  bootspec-valid = checks.bootspecValid { artifacts = generation2; };
  esp-fits = checks.espFits { artifacts = [ generation1 generation2 ]; size = "512M"; };
  no-secrets-in-store = checks.noSecretsInStore { inherit (generations.bootspecs.generation2) toplevel; };

  # Values while Nix evaluates, beside what is built.
  evaluation = import ./evaluated.nix { inherit (generations) lib; inherit (self.packages.${system}) probe; inherit system; };

  # What boots, and our own programs that install it, with all that they need.
  no-interpreters = checks.noInterpreters {
    toplevel = generations.sealed.generation2;
    paths = [ self.packages.${system}.touchstone self.packages.${system}.probe ];
    allow = [{ path = "/nix/store/*/bin/switch-to-configuration"; reason = "./generations.nix puts it in the place of NixOS' own"; }];
  };
}
