# Defaults, and values of a wrong type.
{ lib, is, configOf, evaluates, files, installers, pluginFor, ... }:

let
  plain = configOf { };
  off = configOf { boot.touchstone.enable = lib.mkForce false; };

  refused = {
    "a text for a switch" = { enable = lib.mkForce "yes"; };
    "a package that is none" = { package = lib.mkForce 5; };
    "an unknown signing method" = { signing.method = "somebody"; };
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
    "an agent's key without its kind" = { agent.keys.db.key = "/keys/db.key"; };
    "an agent's limit that nobody knows" = { agent.limits.digests = 1; };
    "an agent's key of an unknown kind" = { agent.keys.db = { key = "/keys/db.key"; kind = "ssh"; }; };
    "an agent's rule with an unknown operation" = { agent.rules.web.operations = [{ digest = { key = "db"; }; }]; };
    "a part of an agent's image that nobody knows" = { agent.images.system.uki.linux.builtHere = true; };
    "an option that does not exist" = { oracle.enable = true; };
  };

  # Everything but what is computed for other options.
  settingsOf = config: removeAttrs config.boot.touchstone [ "booted" "package" "stage1" ]
    // { agent = removeAttrs config.boot.touchstone.agent [ "document" "policy" ]; };
  allOf = settings:
    let all = (configOf { boot.touchstone = settings; }).boot.touchstone; in
    removeAttrs all [ "booted" ] // { agent = removeAttrs all.agent [ "document" "policy" ]; };
in
{
  "nothing but the switch changes a default" = is (settingsOf off // { enable = true; }) (settingsOf plain);
  "defaults" = is
    {
      enable = true;
      signing = { method = "none"; key = null; manifestKey = null; certificate = null; pinSource = null; signatures = null; };
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
      agent = {
        enable = false;
        package = installers.touchstone-full;
        hookPackage = installers.touchstone;
        granters = "root";
        keys = { };
        images = { };
        rules = { };
        grants = { seconds = null; builds = null; };
        limits = lib.genAttrs [
          "answerSeconds"
          "buildSeconds"
          "builds"
          "connections"
          "connectionsPerClient"
          "drainSeconds"
          "headerSeconds"
          "idleSeconds"
          "payloadBytes"
          "payloadSeconds"
          "waitingBytes"
          "waitingBytesPerClient"
        ]
          (_: null);
        log = {
          checkpointKey = "/var/lib/touchstone-agent-key/checkpoint.key";
          exports = [ ];
          checkpointEntries = null;
          checkpointSeconds = null;
          segmentSize = null;
          reserve = null;
        };
      };
    }
    (settingsOf plain);
  "the menu's editor is NixOS' matter where nothing is measured" = is true plain.boot.loader.systemd-boot.editor;
  "the menu's editor is off where the boot is measured" = is false
    (configOf { boot.touchstone.measuredBoot.enable = true; }).boot.loader.systemd-boot.editor;
  "switched off, the toplevel is NixOS' own" = is false (lib.hasInfix "touchstone" off.system.build.toplevel.buildCommand);
  "switched off, there are no boot artifacts" = is false (evaluates off.system.build.bootArtifacts.drvPath);
  "a configuration that sets nothing but the switch is valid" = is true (evaluates plain.system.build.toplevel.drvPath);
} // lib.mapAttrs' (what: settings: lib.nameValuePair "refused: ${what}" (is false (evaluates (allOf settings)))) refused
