# What cannot be verified in the initrd, or would be worth nothing: no module, but the assertions of ./verify.nix.
{ config, lib, utils, generation }:

let
  inherit (lib) attrNames concatMapStringsSep filter hasPrefix unique;
  touchstone = config.boot.touchstone;
  loader = config.boot.loader.touchstone;
  cfg = config.boot.initrd.verify;
  inherit (config.boot.initrd) systemd;
  inherit (config.system.etc) overlay;
  named = name: "boot.initrd.verify.${name}";
  quoted = concatMapStringsSep ", " (name: "\"${name}\"");

  secret = import ./secret-name.nix { inherit lib; };
  otherLoaders = import ./other-loaders.nix config;

  # 32 bytes in base 64: of the last letter, two bits stand for nothing.
  isKey = key: builtins.match "[^:[:space:]]+:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=" key != null;
  unread = filter (key: !isKey key) cfg.trustedPublicKeys;
  contents = unique (map (key: lib.last (lib.splitString ":" key)) cfg.trustedPublicKeys);
  trusted = builtins.length contents;

  fileSystems = lib.attrValues config.fileSystems;
  pathsOf = map (fileSystem: fileSystem.mountPoint);
  # (NixOS' overlay is a unit of the initrd, and not among these.)
  mountsEtc = builtins.elem "/etc" (pathsOf fileSystems);
  keepsUnits = lib.any (path: builtins.elem path [ "/etc/systemd" "/etc/static" ] || hasPrefix "/etc/systemd/" path) (pathsOf fileSystems);
  rootIsNew = (config.fileSystems."/".fsType or "") == "tmpfs";
  etcIsFixed = !keepsUnits && (overlay.enable && !overlay.mutable || rootIsNew);

  # Where the check looks, and code is taken from afterwards: a file system that comes later would hide what it saw there. It waits for those
  # that these folders lie on (./verify-units.nix), and for none inside of them.
  looked = [ "/nix/store" "/nix/var/nix/profiles/default" "/usr/lib" "/usr/local" ];
  inside = filter (path: lib.any (folder: hasPrefix "${folder}/" path) looked) (pathsOf fileSystems);
  late = filter (path: lib.any (hasPrefix "${path}/") (map (folder: "${folder}/") looked))
    (pathsOf (filter (fileSystem: !utils.fsNeededForBoot fileSystem) fileSystems));

  hasAccess = systemd.emergencyAccess != null && systemd.emergencyAccess != false;
  unverified = filter (name: !(config.specialisation.${name}.configuration.boot.initrd.verify.enable or false)) (attrNames config.specialisation);
  class = cfg.manifest.class;
in
[
  {
    assertion = touchstone.enable && touchstone.uki.enable;
    message = ''
      ${named "enable"}: which system is to be verified stands in the signed unified kernel image, and none is made. Write
      `boot.touchstone.enable = true;` and `boot.touchstone.uki.enable = true;`, or `${named "enable"} = false;`.'';
  }
  {
    assertion = otherLoaders == [ ] && (!loader.enable || loader.images == "uki");
    message = ''
      ${named "enable"}: the machine would boot kernel and initrd as files of their own, of which nobody signs the command line: the initrd
      would refuse to start. Write `boot.loader.touchstone.images = "uki";`, and
      ${if otherLoaders == [ ] then "take no other installer" else concatMapStringsSep " and " (name: "`boot.loader.${name}.enable = false;`") otherLoaders}.'';
  }
  {
    assertion = config.boot.initrd.enable && systemd.enable;
    message = ''
      ${named "enable"}: the closure is verified in an initrd of systemd's, and this configuration has another one. Write
      `boot.initrd.systemd.enable = true;`.'';
  }
  {
    assertion = systemd.managerEnvironment ? SYSTEMD_SYSROOT_FSTAB;
    message = ''
      ${named "enable"}: this nixpkgs lets the initrd mount what the root's own /etc/fstab says, over what was verified. Take a newer nixpkgs, in
      which `boot.initrd.systemd.managerEnvironment.SYSTEMD_SYSROOT_FSTAB` names the initrd's own.'';
  }
  {
    assertion = cfg.sigsNeeded >= 1;
    message = ''
      ${named "sigsNeeded"}: with ${toString cfg.sigsNeeded}, nothing would have to be signed. Write `${named "sigsNeeded"} = 1;` or more, or
      `${named "enable"} = false;`.'';
  }
  {
    assertion = unread == [ ];
    message = ''
      ${named "trustedPublicKeys"}: ${quoted unread} is no public key of Nix. Write what `nix-store --generate-binary-cache-key` writes into its
      second file: a name, a colon, and 44 characters.'';
  }
  {
    assertion = cfg.sigsNeeded <= trusted;
    message = ''
      ${named "sigsNeeded"}: ${toString cfg.sigsNeeded} signatures are asked for, of ${toString trusted} different keys in
      `${named "trustedPublicKeys"}`, so that nothing could boot. Write more keys, or a smaller number; one key under two names is one key.'';
  }
  {
    assertion = (config.boot.resumeDevice or "") == "";
    message = ''
      ${named "enable"}: what is resumed from `boot.resumeDevice` is the memory of a system that nobody verifies. Write
      `boot.resumeDevice = "";`, and do not hibernate this machine.'';
  }
  {
    assertion = !mountsEtc;
    message = ''
      ${named "enable"}: /etc is a file system of its own, which is mounted when the check is over, and nobody would see what the dynamic linker
      loads from there. Take `fileSystems."/etc"` away, and write `system.etc.overlay = { enable = true; mutable = false; };`.'';
  }
  {
    assertion = etcIsFixed || cfg.allowMutableEtc;
    message = ''
      ${named "allowMutableEtc"}: /etc is kept on the disk, from where whoever writes to it has code started after the check. Write
      `system.etc.overlay = { enable = true; mutable = false; };`, take a root on tmpfs, or write `${named "allowMutableEtc"} = true;` to
      live with that.'';
  }
  {
    assertion = late == [ ];
    message = ''
      ${named "enable"}: ${quoted late} is mounted when the check is over, and systemd takes units, rules or settings from below it. Write
      ${concatMapStringsSep " " (path: "`fileSystems.\"${path}\".neededForBoot = true;`") late}.'';
  }
  {
    assertion = inside == [ ];
    message = ''
      ${named "enable"}: ${quoted inside} is mounted inside of a folder that the check looks at, and the check does not wait for it. Take
      ${concatMapStringsSep " " (path: "`fileSystems.\"${path}\"`") inside} away.'';
  }
  {
    assertion = cfg.onFailure != "shell" || builtins.elem touchstone.signing.method [ "none" "test" ];
    message = ''
      ${named "onFailure"}: a shell is for development, and the images of this configuration are signed for machines that matter (the signing
      method is "${touchstone.signing.method}"). Write `${named "onFailure"} = "halt";` or `"reboot"`.'';
  }
  {
    assertion = cfg.onFailure == "shell" || !hasAccess;
    message = ''
      ${named "onFailure"}: `boot.initrd.systemd.emergencyAccess` opens a shell wherever the boot fails, with every secret of the machine in
      reach. Write `boot.initrd.systemd.emergencyAccess = false;`, or, for development, `${named "onFailure"} = "shell";`.'';
  }
  {
    assertion = unverified == [ ];
    message = ''
      ${named "enable"}: ${quoted unverified} is a specialisation that verifies nothing, whose signed image whoever has the machine can start in
      the place of this one. Write `boot.initrd.verify.enable = true;` there, or make it a generation of its own.'';
  }
  {
    assertion = cfg.signing.enable -> cfg.signing.keyFile != null && loader.enable;
    message = ''
      ${named "signing.enable"}: it is `touchstone-install` that signs, by a key in a file. Write `boot.loader.touchstone.enable = true;` and
      `${named "signing.keyFile"} = "/var/lib/touchstone/nix.key";`, or `${named "signing.enable"} = false;`.'';
  }
  {
    assertion = cfg.signing.keyFile == null || cfg.signing.enable;
    message = ''
      ${named "signing.keyFile"}: a key is named, and nothing is signed by it. Write `${named "signing.enable"} = true;`, or take the key away.'';
  }
  {
    assertion = !builtins.isString cfg.signing.keyFile || hasPrefix "/" cfg.signing.keyFile || hasPrefix "agent:" cfg.signing.keyFile;
    message = ''
      ${named "signing.keyFile"}: "${toString cfg.signing.keyFile}" is no absolute path. Write the whole path of the file that holds the key, such as
      "/var/lib/touchstone/nix.key", or "agent:nix", a key of the machine's signing agent.'';
  }
  {
    assertion = cfg.manifest.carrier == "image" -> loader.enable && !generation.isSigned touchstone;
    message = ''
      ${named "manifest.carrier"}: a manifest is signed when the system is built already, and only images that `touchstone-install` assembles can take
      it in then. Write `${named "manifest.carrier"} = "sealed";` or `"esp"`, or `boot.loader.touchstone.enable = true;` with images
      that are assembled on the machine.'';
  }
  {
    assertion = !touchstone.measuredBoot.enable || cfg.manifest.carrier == "sealed";
    message = ''
      ${named "manifest.carrier"}: with "${cfg.manifest.carrier}", the manifest is measured, and it is signed when the values are predicted already.
      Write `${named "manifest.carrier"} = "sealed";`, or `boot.touchstone.measuredBoot.enable = false;`.'';
  }
  {
    assertion = class == null || builtins.match "[A-Za-z0-9._-]{1,64}" class != null;
    message = ''
      ${named "manifest.class"}: "${toString class}" cannot be the name of a class of machines. Write up to 64 letters, digits, dots, dashes and
      underscores.'';
  }
  {
    assertion = !cfg.manifest.measure || (systemd.tpm2.enable or (systemd.enableTpm2 or false));
    message = ''
      ${named "manifest.measure"}: the initrd has no driver of a TPM, so that every boot would wait for one. Write
      `boot.initrd.systemd.tpm2.enable = true;`, or `${named "manifest.measure"} = false;`.'';
  }
] ++ secret.assertions (named "signing.keyFile") "a string, such as \"/var/lib/touchstone/nix.key\"" cfg.signing.keyFile
