{
  description = "Touchstone: the declarative boot-trust library for NixOS";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forEachSystem = make: builtins.listToAttrs (map (system: { name = system; value = make system; }) systems);
      package = system: import ./nix-plugin/package.nix { pkgs = nixpkgs.legacyPackages.${system}; };
    in
    {
      # The static binary: the command line, and the builder of everything below; beside it the installer, and the hook by which Nix asks the
      # signing agent for sockets (docs/agent.md). `touchstone-full` is the command line for people
      # whose keys are in a PKCS#11 token or a TPM, and the agent: dynamically linked, as what it loads must be. `touchstone-nix` is the plugin for this
      # nixpkgs' Nix (docs/plugin.md), `libtouchstone` the C library (docs/c-abi.md).
      packages = forEachSystem (system: rec {
        inherit (package system) touchstone touchstone-full touchstone-stage1 touchstone-nix libtouchstone probe;
        default = touchstone;
      });

      # Touchstone's Nix functions, by system: mkBootspec, mkUki, signPe, preparePe, unsignPe, predictPcrs,
      # referenceDocument, pcrlockFiles, mkManifest, signManifest,
      # mkEsl, signUpdate, prepareUpdate, mkBootArtifacts, mkSealedGeneration, mkSigningRequests, signRequests, and for NixOS
      # configurations bootspecOf and bootArtifactsOf. `values` are computed while Nix evaluates, `answers` are the same as files (docs/plugin.md).
      # `checks` has checks for your own flake (docs/checks.md): by system, and as lib.checks with `system` as one more argument.
      lib = forEachSystem
        (system:
          import ./nix-plugin/lib { inherit system; inherit (self.packages.${system}) touchstone; }
            // import ./nix-plugin/lib/nixos.nix) // {
        checks = import ./nix-plugin/lib/by-system.nix {
          functionsOf = system: self.lib.${system}.checks;
          names = builtins.attrNames self.lib.x86_64-linux.checks;
        };
      };

      # What makes a NixOS configuration's boot artifacts (`boot.touchstone.…`: docs/nixos.md), with this flake's program.
      nixosModules.default = { config, lib, pkgs, ... }: {
        _class = "nixos";
        imports = [ ./nixos-modules ];
        boot.touchstone.package = lib.mkDefault self.packages.${pkgs.stdenv.buildPlatform.system}.touchstone;
        boot.loader.touchstone.packages = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system};
        # A plugin is a part of the Nix that loads it: compiled for that one, by the nixpkgs that it comes from.
        boot.touchstone.plugin.package = lib.mkDefault
          ((import ./nix-plugin/package.nix { inherit pkgs; }).touchstone-nix.override { nix = config.nix.package; });
      };

      overlays.default = final: prev: {
        inherit (import ./nix-plugin/package.nix { pkgs = final; }) touchstone touchstone-full touchstone-stage1 touchstone-nix libtouchstone;
      };

      # Boot artifacts of real generations, made from nixpkgs' kernel and systemd; `cargo xtask test` makes the same from Debian's.
      checks = forEachSystem (system:
        import ./checks/flake-checks.nix { inherit self nixpkgs system; }
        // (if system != "x86_64-linux" then { } else {
          nixos-test = import ./checks/nixos-test.nix { inherit self; pkgs = nixpkgs.legacyPackages.${system}; };
        }));

      apps = forEachSystem (system: {
        demo = {
          type = "app";
          program = "${import ./nix-plugin/demo.nix { pkgs = nixpkgs.legacyPackages.${system}; }}/bin/touchstone-demo";
          meta.description = "In a checkout: build, boot and compare predicted with measured PCRs";
        };
      });
    };
}
