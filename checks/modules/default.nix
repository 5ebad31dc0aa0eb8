# What is claimed of the NixOS modules, as data: for each topic and each claim what is expected and what is. `cargo xtask test` evaluates
# it with the stand-in for nixpkgs, `cargo xtask test --nixpkgs PATH` with a whole one.
#
#   nixpkgs    a folder with lib and nixos/lib/eval-config.nix
#   machine    a module with what any NixOS system needs, such as a file system
#   minimal    whether nixpkgs has no assertions of its own, so that ours can be counted
{ nixpkgs, machine ? { }, minimal ? false }:

let
  lib = import (nixpkgs + "/lib");
  inherit (builtins) deepSeq filter map tryEval;

  # Nobody builds it.
  package = derivation { name = "touchstone"; system = "x86_64-linux"; builder = "/not-a-real-builder"; };
  installers = lib.genAttrs [ "touchstone" "touchstone-full" "touchstone-stage1" ] (name: derivation { name = "${name}-installer"; system = "x86_64-linux"; builder = "/not-a-real-builder"; });

  # Nobody builds this either.
  pluginFor = nix: derivation { name = "touchstone-nix"; system = "x86_64-linux"; builder = "/not-a-real-builder"; inherit nix; }
    // { nixVersion = lib.getVersion nix; };

  base = {
    boot.touchstone.enable = lib.mkDefault true;
    boot.loader.grub.enable = lib.mkDefault false;
  };

  # A whole NixOS configuration with these modules and the given one; `bareOf` without a package.
  bareOf = evaluate { };
  evaluate = specialArgs: module: (import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit specialArgs;
    system = "x86_64-linux";
    modules = [ ../../nixos-modules base machine module ];
  }).config;
  packaged = { config, ... }: {
    boot.touchstone = { inherit package; plugin.package = lib.mkDefault (pluginFor config.nix.package); };
    boot.loader.touchstone.packages = installers;
  };
  configOf = module: bareOf { imports = [ module packaged ]; };

  # The same with the files of a newer nixpkgs, or of one that has none of them.
  newerOf = module: evaluate { modulesPath = toString (nixpkgs + "/newer/modules"); } {
    imports = [ module packaged (nixpkgs + "/newer/modules/system/boot/loader/systemd-boot/systemd-boot.nix") ];
  };
  olderOf = module: evaluate { modulesPath = "/not/there"; } { imports = [ module packaged ]; };

  # The stand-in's packages, for builds on x86-64 of a machine of another kind.
  crossPkgs = import (nixpkgs + "/packages.nix") { inherit lib; system = "aarch64-linux"; } // {
    stdenv = { hostPlatform = lib.systems.elaborate "aarch64-linux"; buildPlatform = lib.systems.elaborate "x86_64-linux"; };
  };

  tools = {
    inherit lib minimal package installers pluginFor bareOf configOf newerOf olderOf crossPkgs;

    # A specialisation that inherits nothing.
    orphan = { inheritParentConfig = false; configuration = { imports = [ machine ]; boot.loader.grub.enable = false; }; };

    # A public key of Nix, and a configuration whose closure is verified in the initrd, on any file system.
    key = name: "${name}:${lib.concatStrings (lib.genList (_: "A") 43)}=";
    verified = {
      boot.initrd = { systemd.enable = true; verify = { enable = true; trustedPublicKeys = [ (tools.key "a") ]; }; };
      boot.loader.touchstone.enable = true;
      system.etc.overlay = { enable = true; mutable = false; };
      fileSystems."/" = { device = "/dev/disk/by-label/root"; fsType = "ext4"; };
    };

    # A machine that builds, with its agent.
    agent = {
      boot.touchstone.agent = {
        enable = true;
        keys = {
          db = { kind = "image"; key = "/keys/db.key"; passphraseFile = lib.mkDefault "/run/keys/pin"; certificate = tools.files."db.pem"; };
          nix = { kind = "nix"; key = "/keys/nix.key"; };
        };
        images = {
          loader.loader.files = [ tools.files."shim.efi" ];
          system.uki = {
            stub.files = [ tools.files."shim.efi" ];
            toplevel.builtHere = true;
            kernel.ofToplevel = { trustedPublicKeys = [ "cache-1:AAAA" ]; names = [ "linux-*" ]; };
            initrd.ofToplevel = { builtHere = true; names = [ "initrd-*" ]; };
            cmdline.allowed = [ "quiet" ];
            sections.".splash".any = true;
          };
        };
        rules.fleet = {
          derivations = { names = [ "nixos-system-web*-sealed" ]; requesters = [ "deploy" ]; };
          operations = [
            { authenticode = { key = "db"; image = "system"; }; }
            { authenticode = { key = "db"; image = "loader"; }; }
            { manifest = { key = "nix"; origin.builtHere = true; }; }
          ];
        };
        grants.builds = 1;
        log = { checkpointKey = lib.mkDefault "/keys/log.key"; checkpointEntries = 100; };
      };
    };

    # A claim: that one value is the other.
    is = expected: got: { inherit expected got; };

    # What our assertions say, in a whole nixpkgs among others.
    failing = config: filter (message: lib.any (prefix: lib.hasPrefix prefix message) [ "boot.touchstone." "boot.loader.touchstone." "boot.loader.systemd-boot.editor: " "boot.loader.systemd-boot.bootCounting." "boot.initrd.verify." ])
      (map (one: one.message) (filter (one: !one.assertion) config.assertions));
    evaluates = value: (tryEval (deepSeq value true)).success;

    # Files that the options name.
    files = lib.genAttrs [ "db.pem" "PK.esl" "KEK.esl" "db.esl" "dbx.esl" "logo.bmp" "signatures" "shim.efi" "pcr.pem" ] (name: builtins.toFile name name);
  };

  topic = file: import file tools;
in
{
  options = topic ./cases/options.nix;
  assertions = topic ./cases/assertions.nix;
  generation = topic ./cases/generation.nix;
  artifacts = topic ./cases/artifacts.nix;
  bootspec = topic ./cases/bootspec.nix;
  sealed = topic ./cases/sealed.nix;
  loader = topic ./cases/loader.nix;
  bootCounting = topic ./cases/boot-counting.nix;
  interpreterless = topic ./cases/interpreterless.nix;
  verify = topic ./cases/verify.nix;
  nixPlugin = topic ./cases/nix-plugin.nix;
  agent = topic ./cases/agent.nix;
}
