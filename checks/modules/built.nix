# Boot artifacts and sealed generations that the modules ask for, of a configuration that real Nix builds: the options are the
# stand-in's, kernel, stub and boot loader are real, initrd and toplevel are the probe's.
#
#   nixpkgs             the stand-in, with its lib
#   touchstone, probe   folders with bin/touchstone (and bin/touchstone-launcher) and bin/touchstone-probe, statically linked
#   kernel              a folder with vmlinuz
#   systemd             a folder with lib/systemd/boot/efi, of systemd 257
#   test                { key, certificate }: a test key as the sandbox shows it (a string)
#   fleet               { certificate, signatures, publicKey, policySignatures }: a real certificate, the public half of a real key for PCR 11,
#                       and the folders with their signatures, made elsewhere
#   secureBoot          { PK, KEK, db }
#   splash              a picture
{ nixpkgs, touchstone, probe, kernel, systemd, test, fleet, secureBoot, splash }:

let
  nixos = import ../../nix-plugin/lib/nixos.nix;

  stored = name: path: builtins.path { inherit name path; };
  program = "${stored "probe" probe}/bin/touchstone-probe";
  probed = name: attributes: derivation (attributes // {
    inherit name;
    system = "x86_64-linux";
    builder = program;
    __structuredAttrs = true;
  });
  package = name: path: attributes: { type = "derivation"; inherit name; outPath = stored name path; } // attributes;

  toplevelOf = config:
    let
      core = nixos.bootspecOf config;
    in
    probed "nixos-system-${config.system.name}" {
      mode = "toplevel";
      init = program;
      initrd = builtins.head core.initrds;
      nixosVersion = core.label;
      specialisations = builtins.mapAttrs (_: child: "${child.configuration.system.build.toplevel}") config.specialisation;
      bootspec = { initrdSecrets = program; inherit (config.boot.bootspec) extensions; };
      switch = { DISTRO_ID = config.system.nixos.distroId; };
      # A specialisation that takes nothing from its parent has none of our options.
      installation = if config.boot.loader.touchstone.enable or false then config.boot.loader.touchstone.settings else null;
      inherit (core) kernel kernelParams system;
    };

  machine = { config, lib, pkgs, ... }: {
    standIn.toplevel = toplevelOf config;
    boot.kernelPackages = { inherit (pkgs) stdenv; kernel = package "linux" kernel { modDirVersion = "6.12.0"; }; };
    system.boot.loader.kernelFile = "vmlinuz";
    system.build.initialRamdisk = probed "initrd" { mode = "initrd"; generation = "1"; };
    systemd.package = package "systemd" systemd { version = "257"; };
    boot.loader.external = { enable = lib.mkDefault true; installHook = program; };
    i18n.glibcLocales = null;
  };

  of = settings: (import (nixpkgs + "/nixos/lib/eval-config.nix") {
    modules = [
      ../../nixos-modules
      machine
      settings
      { boot.touchstone = { enable = true; package = stored "touchstone" touchstone; }; }
    ];
  }).config.system.build;

  everything = of {
    boot.kernelParams = [ "quiet" ];
    boot.loader = { external.enable = false; grub.enable = false; };
    boot.initrd.systemd.enable = true;
    boot.initrd.verify = {
      enable = true;
      trustedPublicKeys = [ "site-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" ];
    };
    system.etc.overlay = { enable = true; mutable = false; };
    boot.touchstone = {
      signing = { method = "test"; inherit (test) key certificate; };
      uki = {
        inherit splash;
        extraSections.".fleet".text = "rack 4";
        profiles.reset = { title = "Factory reset"; kernelParams = [ "systemd.factory_reset=1" ]; };
      };
      measuredBoot = {
        enable = true;
        secureBootVariables = secureBoot;
        policy = { enable = true; inherit (test) key; publicKey = test.certificate; };
      };
    };
  };

  sealed = of {
    boot.touchstone = {
      signing = { method = "detached"; inherit (fleet) certificate signatures; };
      measuredBoot = {
        enable = true;
        policy = { enable = true; inherit (fleet) publicKey; signatures = fleet.policySignatures; };
      };
      sealed.enable = true;
    };
    boot.loader = {
      external.enable = false;
      touchstone.enable = true;
      systemd-boot.bootCounting = { enable = true; tries = 2; };
    };
    specialisation.rescue.configuration.boot.kernelParams = [ "rescue" ];
    specialisation.bare = { inheritParentConfig = false; configuration = machine; };
  };
in
{
  everything = everything.bootArtifacts;
  policyRequests = sealed.policyRequests;
  requests = sealed.signingRequests;
  sealed = sealed.toplevel;
}
