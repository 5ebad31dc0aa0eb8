# Each assertion: a configuration that breaks it, how its message begins, and the change that mends it.
{ lib, is, configOf, failing, files, minimal, ... }@tools:

let
  inherit (lib) mkForce;
  touchstone = settings: { boot.touchstone = settings; };

  certificate = files."db.pem";
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };
  test = { method = "test"; key = "/keys/db.key"; inherit certificate; };
  install = { method = "install"; key = "tpm2:handle=0x81010001"; inherit certificate; };
  variables = { PK = files."PK.esl"; KEK = files."KEK.esl"; db = files."db.esl"; };
  systemd = version: { config, pkgs, ... }: { systemd.package = pkgs.systemd // { inherit version; }; };
  policy = { enable = true; key = "/keys/pcr.key"; publicKey = files."pcr.pem"; };

  cases = {
    "a configuration without a kernel" = {
      broken = { boot.kernel.enable = false; };
      says = "boot.touchstone.enable: this configuration has no kernel";
      mended = { boot.touchstone.enable = mkForce false; };
    };

    "a key as Nix path" = {
      broken = touchstone { signing = { key = ./assertions.nix; }; };
      says = "boot.touchstone.signing.key: the value is a Nix path";
      mended = touchstone { signing.key = mkForce "/keys/db.key"; };
    };
    "a key in the store" = {
      broken = touchstone { signing = { key = "${files."db.pem"}"; }; };
      says = "boot.touchstone.signing.key: the secret lies in the store";
      mended = touchstone { signing.key = mkForce "/keys/db.key"; };
    };
    "a PIN as Nix path" = {
      broken = touchstone { signing.pinSource = ./assertions.nix; };
      says = "boot.touchstone.signing.pinSource: the value is a Nix path";
      mended = touchstone { signing.pinSource = mkForce "/run/keys/pin"; };
    };
    "a PIN in the store" = {
      broken = touchstone { signing.pinSource = "${files."db.pem"}"; };
      says = "boot.touchstone.signing.pinSource: the secret lies in the store";
      mended = touchstone { signing.pinSource = mkForce "/run/keys/pin"; };
    };
    "a relative path of a key" = {
      broken = touchstone { signing.key = "keys/db.key"; };
      says = "boot.touchstone.signing.key: \"keys/db.key\" is neither";
      mended = touchstone { signing.key = mkForce "tpm2:handle=0x81010001"; };
    };
    "a PIN inside of a URI" = {
      broken = touchstone { signing.key = "pkcs11:token=fleet?pin-value=1234"; };
      says = "boot.touchstone.signing.key: the URI holds a PIN";
      mended = touchstone { signing = { key = mkForce "pkcs11:token=fleet"; pinSource = "/run/keys/pin"; }; };
    };
    "a relative path of a PIN" = {
      broken = touchstone { signing.pinSource = "pin"; };
      says = "boot.touchstone.signing.pinSource: \"pin\" is no absolute path";
      mended = touchstone { signing.pinSource = mkForce "/run/keys/pin"; };
    };
    "two places for a PIN" = {
      broken = touchstone { signing = { key = "pkcs11:token=fleet?pin-source=/run/pin"; pinSource = "/run/keys/pin"; }; };
      says = "boot.touchstone.signing.pinSource: boot.touchstone.signing.key says already";
      mended = touchstone { signing.pinSource = mkForce null; };
    };
    "detached signatures that are not there" = {
      broken = touchstone { signing = { method = "detached"; inherit certificate; }; };
      says = "boot.touchstone.signing.signatures: the method is \"detached\", and no folder";
      mended = touchstone { signing.signatures = files."signatures"; };
    };
    "detached signatures without a certificate" = {
      broken = touchstone { signing = { method = "detached"; signatures = files."signatures"; }; };
      says = "boot.touchstone.signing.certificate: the method is \"detached\"";
      mended = touchstone { signing = { inherit certificate; }; };
    };
    "signing at installation without a key" = {
      broken = touchstone { signing = { method = "install"; inherit certificate; }; };
      says = "boot.touchstone.signing.key: the method is \"install\", and no key";
      mended = touchstone { signing.key = "tpm2:handle=0x81010001"; };
    };
    "a test key in a token" = {
      broken = touchstone { signing = test // { key = "pkcs11:token=test"; }; };
      says = "boot.touchstone.signing.key: the method is \"test\", for which a build reads the file";
      mended = touchstone { signing.key = mkForce "/keys/db.key"; };
    };
    "signatures that nobody uses" = {
      broken = touchstone { signing.signatures = files."signatures"; };
      says = "boot.touchstone.signing.signatures: signatures are given, and the method \"none\"";
      mended = touchstone { signing = { method = "detached"; inherit certificate; }; };
    };

    "secrets of the initrd" = {
      broken = { boot.initrd.secrets."/etc/key" = "/etc/key"; boot.touchstone.bootspec.v2.enable = false; };
      says = "boot.touchstone.uki.enable: the secrets of boot.initrd.secrets would be appended";
      mended = touchstone { uki.enable = false; };
    };
    "images that are shared and sealed" = {
      broken = touchstone { signing = detached; sealed.enable = true; uki.shareSpecialisations = true; };
      says = "boot.touchstone.uki.shareSpecialisations: a sealed specialisation";
      mended = touchstone { uki.shareSpecialisations = mkForce false; };
    };
    "a section without a dot" = {
      broken = touchstone { uki.extraSections.fleet.text = "rack 4"; };
      says = "boot.touchstone.uki.extraSections: \"fleet\" cannot name a section";
      mended = touchstone { uki.extraSections = mkForce { ".fleet".text = "rack 4"; }; };
    };
    "a section of the image's own" = {
      broken = touchstone { uki.extraSections.".cmdline".text = "debug"; };
      says = "boot.touchstone.uki.extraSections: \".cmdline\" is a section that";
      mended = touchstone { uki.extraSections = mkForce { ".fleet".text = "rack 4"; }; };
    };
    "a section of two contents" = {
      broken = touchstone { uki.extraSections.".fleet" = { text = "rack 4"; source = files."logo.bmp"; }; };
      says = "boot.touchstone.uki.extraSections: \".fleet\" needs exactly one of";
      mended = touchstone { uki.extraSections.".fleet".source = mkForce null; };
    };
    "a profile of an impossible ID" = {
      broken = touchstone { uki.profiles."Factory Reset" = { }; };
      says = "boot.touchstone.uki.profiles: \"Factory Reset\" cannot be the ID";
      mended = touchstone { uki.profiles = mkForce { factory-reset.title = "Factory Reset"; }; };
    };
    "a profile of an impossible title" = {
      broken = touchstone { uki.profiles.reset.title = "\"Reset\""; };
      says = "boot.touchstone.uki.profiles: the title of \"reset\"";
      mended = touchstone { uki.profiles.reset.title = mkForce "Reset: everything (ß)"; };
    };
    "a profile with the name of a specialisation" = {
      broken = { specialisation.rescue.configuration = { }; boot.touchstone.uki.profiles.rescue = { }; };
      says = "boot.touchstone.uki.profiles: \"rescue\" is also the name of a specialisation";
      mended = touchstone { uki.profiles = mkForce { debug = { }; }; };
    };

    "a prediction of no image" = {
      broken = touchstone { measuredBoot.enable = true; uki.enable = false; };
      says = "boot.touchstone.measuredBoot.enable: what is predicted is the boot of";
      mended = touchstone { measuredBoot.enable = mkForce false; };
    };
    "a register that nobody can predict" = {
      broken = touchstone { measuredBoot = { enable = true; pcrs = [ 10 11 ]; }; };
      says = "boot.touchstone.measuredBoot.pcrs: nobody can predict 10.";
      mended = touchstone { measuredBoot.pcrs = mkForce [ 11 ]; };
    };
    "a register of the machine's own" = {
      broken = touchstone { measuredBoot = { enable = true; pcrs = [ 0 11 ]; }; };
      says = "boot.touchstone.measuredBoot.pcrs: 0 cannot be predicted from a configuration";
      mended = touchstone { measuredBoot.pcrs = mkForce [ 11 ]; };
    };
    "no register" = {
      broken = touchstone { measuredBoot = { enable = true; pcrs = [ ]; }; };
      says = "boot.touchstone.measuredBoot.pcrs: no register is to be predicted";
      mended = touchstone { measuredBoot.pcrs = [ 11 ]; };
    };
    "PCR 7 without the variables" = {
      broken = touchstone { measuredBoot = { enable = true; pcrs = [ 7 11 ]; }; };
      says = "boot.touchstone.measuredBoot.secureBootVariables: 7 of boot.touchstone.measuredBoot.pcrs depend";
      mended = touchstone { measuredBoot.secureBootVariables = variables; signing = { inherit certificate; }; };
    };
    "Secure Boot without anybody who signs" = {
      broken = touchstone { measuredBoot = { enable = true; secureBootVariables = variables; }; };
      says = "boot.touchstone.measuredBoot.secureBootVariables: the firmware enforces signatures, and nobody signs";
      mended = touchstone { measuredBoot.secureBootVariables.enabled = false; };
    };
    "PCR 9 with a stub that draws a secret" = {
      broken = { imports = [ (systemd "262") ]; boot.touchstone.measuredBoot = { enable = true; pcrs = [ 9 11 ]; }; };
      says = "boot.touchstone.measuredBoot.pcrs: the stub of systemd 262 hands the initrd a secret";
      mended = touchstone { measuredBoot.pcrs = mkForce [ 11 ]; };
    };
    "a menu with an editor" = {
      broken = { boot.loader.systemd-boot.editor = true; boot.touchstone.measuredBoot.enable = true; };
      says = "boot.loader.systemd-boot.editor: the boot menu lets anybody";
      mended = { boot.loader.systemd-boot.editor = mkForce false; };
    };
    "entries of NixOS' own boot loader" = {
      broken = { boot.loader.systemd-boot.enable = true; boot.touchstone.measuredBoot.enable = true; };
      says = "boot.touchstone.measuredBoot.bootPath: boot.loader.systemd-boot installs kernel and initrd";
      mended = { boot.loader.systemd-boot.enable = mkForce false; };
    };
    "a policy's key in the store" = {
      broken = touchstone { measuredBoot.policy.key = "${files."pcr.pem"}"; };
      says = "boot.touchstone.measuredBoot.policy.key: the secret lies in the store";
      mended = touchstone { measuredBoot.policy.key = mkForce "/keys/pcr.key"; };
    };
    "a policy's key as Nix path" = {
      broken = touchstone { measuredBoot.policy.key = ./assertions.nix; };
      says = "boot.touchstone.measuredBoot.policy.key: the value is a Nix path";
      mended = touchstone { measuredBoot.policy.key = mkForce "/keys/pcr.key"; };
    };
    "a policy without measured boot" = {
      broken = touchstone { signing = test; measuredBoot = { inherit policy; }; };
      says = "boot.touchstone.measuredBoot.policy.enable: a policy is about measured boot";
      mended = touchstone { measuredBoot.enable = true; };
    };
    "a policy without a key" = {
      broken = touchstone { signing = test; measuredBoot = { enable = true; policy = removeAttrs policy [ "key" ]; }; };
      says = "boot.touchstone.measuredBoot.policy.key: signatures of register 11 are asked for";
      mended = touchstone { measuredBoot = { inherit policy; }; };
    };
    "a policy that nobody signs" = {
      broken = touchstone { measuredBoot = { enable = true; inherit policy; }; };
      says = "boot.touchstone.measuredBoot.policy.enable: nobody signs anything";
      mended = touchstone { signing = test; };
    };
    "a policy whose signatures are nowhere" = {
      broken = touchstone { signing = detached; measuredBoot = { enable = true; inherit policy; }; };
      says = "boot.touchstone.measuredBoot.policy: the signing method is \"detached\"";
      mended = touchstone { measuredBoot.policy.signatures = files."signatures"; };
    };
    "a policy's test key that nothing vouches for" = {
      broken = touchstone { signing = test; measuredBoot = { enable = true; policy = removeAttrs policy [ "publicKey" ]; }; };
      says = "boot.touchstone.measuredBoot.policy.publicKey: the build signs register 11 by a test key only";
      mended = touchstone { measuredBoot = { inherit policy; }; };
    };

    "no Bootspec at all" = {
      broken = { boot.bootspec.enable = false; };
      says = "boot.touchstone.bootspec.v2.enable: NixOS writes no boot.json";
      mended = touchstone { bootspec.v2.enable = false; };
    };
    "v2 with secrets of the initrd" = {
      broken = { boot.initrd.secrets."/etc/key" = "/etc/key"; boot.touchstone.uki.enable = false; };
      says = "boot.touchstone.bootspec.v2.enable: v2 has no program that appends secrets";
      mended = touchstone { bootspec.v2.enable = false; };
    };

    "a sealed generation without images" = {
      broken = touchstone { signing = detached; sealed.enable = true; uki.enable = false; };
      says = "boot.touchstone.sealed.enable: a sealed generation holds unified kernel images";
      mended = touchstone { uki.enable = mkForce true; };
    };
    "a sealed generation that nothing describes" = {
      broken = { boot.bootspec.enable = false; boot.touchstone = { signing = detached; sealed.enable = true; bootspec.v2.enable = false; }; };
      says = "boot.touchstone.sealed.enable: a sealed generation is described by";
      mended = { boot.bootspec.enable = mkForce true; };
    };
    "a sealed generation that the machine signs" = {
      broken = touchstone { signing = { method = "install"; key = "tpm2:handle=0x81010001"; inherit certificate; }; sealed.enable = true; };
      says = "boot.touchstone.sealed.enable: the signing method is \"install\"";
      mended = touchstone { signing = mkForce detached; };
    };
    "a sealed generation that nobody signs" = {
      broken = touchstone { sealed.enable = true; };
      says = "boot.touchstone.sealed.enable: nobody signs the images (the signing method";
      mended = touchstone { signing = detached; };
    };
    "a sealed specialisation that nobody signs" = {
      broken = {
        boot.touchstone = { signing = detached; sealed.enable = true; };
        specialisation.rescue.configuration.boot.touchstone.signing = { method = mkForce "none"; signatures = mkForce null; };
      };
      says = "boot.touchstone.sealed.enable: nobody signs the images of specialisation.rescue";
      mended = { specialisation.rescue.configuration.boot.touchstone.signing = lib.mkOverride 40 detached; };
    };
  } // import ./assertions/loader.nix tools // import ./assertions/interpreterless.nix tools // import ./assertions/verify.nix tools // import ./assertions/nix-plugin.nix tools
  // import ./assertions/agent.nix tools;

  begins = prefix: message: if lib.hasPrefix prefix message then prefix else message;
  broken = one: map (begins one.says) (failing ((one.evaluate or configOf) one.broken));
  mended = one: failing ((one.evaluate or configOf) { imports = [ one.broken one.mended ]; });

  everything = configOf {
    imports = [ tools.verified tools.agent ];
    boot.touchstone.agent.keys = mkForce { nix = { kind = "nix"; key = "/keys/nix.key"; }; };
    boot.touchstone = { signing = test; measuredBoot = { enable = true; inherit policy; }; sealed.enable = true; interpreterless.enable = true; plugin.enable = true; };
  };
in
lib.concatMapAttrs
  (name: one: {
    "${name}: refused" = is [ one.says ] (broken one);
    "${name}: mended" = is [ ] (mended one);
  })
  cases
// lib.optionalAttrs minimal {
  "every assertion has a case" = is (builtins.length everything.assertions) (lib.count (one: !(one.more or false)) (lib.attrValues cases));
} // {
  "every message says what to write" = is [ ]
    (lib.filter (message: builtins.match ".*([Ww]rite|Leave|Take).*" (lib.replaceStrings [ "\n" ] [ " " ] message) == null)
      (lib.concatMap (one: failing ((one.evaluate or configOf) one.broken)) (lib.attrValues cases)));
  "secrets of a specialisation are found, whatever it inherits" = is [ "specialisation.bare.configuration.boot.initrd.secrets" ]
    (map (message: lib.head (lib.splitString " would" (lib.removePrefix "boot.touchstone.uki.enable: the secrets of " message)))
      (lib.filter (lib.hasPrefix "boot.touchstone.uki.enable") (failing (configOf {
        specialisation.bare = { inheritParentConfig = false; configuration.boot.initrd.secrets."/etc/key" = "/etc/key"; };
      }))));
  "a test key is warned of" = is true
    (lib.any (lib.hasPrefix "boot.touchstone.signing.method is \"test\"") (configOf (touchstone { signing = test; })).warnings);
  "a machine that signs without our installer is warned of" = is true
    (lib.any (lib.hasPrefix "boot.touchstone.signing.method is \"install\"") (configOf (touchstone { signing = install; })).warnings);
  "with our installer, there is nothing to warn of" = is [ ]
    (lib.filter (lib.hasPrefix "boot.touchstone") (configOf { boot.touchstone = { signing = install; }; boot.loader.touchstone.enable = true; }).warnings);
  "detached signatures are no reason for a warning" = is [ ]
    (lib.filter (lib.hasPrefix "boot.touchstone") (configOf (touchstone { signing = detached; })).warnings);
}
