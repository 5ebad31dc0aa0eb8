# Defaults, and values of a wrong type.
{ lib, is, configOf, evaluates, files, pluginFor, ... }:

let
  plain = configOf { };
  off = configOf { boot.touchstone.enable = lib.mkForce false; };

  refused = {
    "a text for a switch" = { enable = lib.mkForce "yes"; };
    "a package that is none" = { package = lib.mkForce 5; };
    "an unknown signing method" = { signing.method = "agent"; };
    "a list for a key" = { signing.key = [ "db.key" ]; };
    "a relative certificate" = { signing.certificate = "db.pem"; };
    "signatures that are no folder" = { signing.signatures = { }; };
    "a number for a stub" = { uki.stub = 262; };
    "a section without its content's name" = { uki.extraSections.".fleet" = "rack 4"; };
    "a profile with an unknown field" = { uki.profiles.debug.initrds = [ ]; };
    "kernel parameters of a profile that are one text" = { uki.profiles.debug.kernelParams = "debug"; };
    "a register that no TPM has" = { measuredBoot.pcrs = [ 24 ]; };
    "registers that are one number" = { measuredBoot.pcrs = 7; };
    "Secure Boot variables without KEK" = { measuredBoot.secureBootVariables = { PK = files."PK.esl"; db = files."db.esl"; }; };
    "an unknown Secure Boot variable" = { measuredBoot.secureBootVariables = { PK = files."PK.esl"; KEK = files."KEK.esl"; db = files."db.esl"; MokList = files."db.esl"; }; };
    "an unknown step of the boot" = { measuredBoot.bootPath.grub = files."shim.efi"; };
    "a plugin that is a path" = { plugin = { enable = true; package = "/run/plugin.so"; }; };
    "an option that does not exist" = { agent.enable = true; };
  };

  # Everything but what is computed for other options.
  settingsOf = config: removeAttrs config.boot.touchstone [ "booted" "package" "stage1" ];
  allOf = settings: removeAttrs (configOf { boot.touchstone = settings; }).boot.touchstone [ "booted" ];
in
{
  "nothing but the switch changes a default" = is (settingsOf off // { enable = true; }) (settingsOf plain);
  "defaults" = is
    {
      enable = true;
      signing = { method = "none"; key = null; certificate = null; pinSource = null; signatures = null; };
      uki = {
        enable = true;
        stub = "${plain.systemd.package}/lib/systemd/boot/efi/linuxx64.efi.stub";
        shareSpecialisations = false;
        splash = null;
        extraSections = { };
        profiles = { };
      };
      measuredBoot = {
        enable = false;
        pcrs = [ 9 11 12 13 ];
        secureBootVariables = null;
        bootPath = { shim = null; loader = "${plain.systemd.package}/lib/systemd/boot/efi/systemd-bootx64.efi"; };
        policy = { enable = false; key = null; publicKey = null; signatures = null; };
      };
      sealed = { enable = false; inside = false; };
      interpreterless = { enable = false; allow = [ ]; };
      bootspec.v2.enable = true;
      plugin = { enable = false; package = pluginFor plain.nix.package; };
    }
    (settingsOf plain);
  "the menu's editor is NixOS' matter where nothing is measured" = is true plain.boot.loader.systemd-boot.editor;
  "the menu's editor is off where the boot is measured" = is false
    (configOf { boot.touchstone.measuredBoot.enable = true; }).boot.loader.systemd-boot.editor;
  "switched off, the toplevel is NixOS' own" = is false (lib.hasInfix "touchstone" off.system.build.toplevel.buildCommand);
  "switched off, there are no boot artifacts" = is false (evaluates off.system.build.bootArtifacts.drvPath);
  "a configuration that sets nothing but the switch is valid" = is true (evaluates plain.system.build.toplevel.drvPath);
} // lib.mapAttrs' (what: settings: lib.nameValuePair "refused: ${what}" (is false (evaluates (allOf settings)))) refused
