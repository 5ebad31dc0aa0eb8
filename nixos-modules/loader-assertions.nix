# What cannot be installed: no module, but the assertions of ./loader.nix.
{ config, lib, generation }:

let
  inherit (lib) attrNames concatMap concatMapStringsSep concatStringsSep filter hasPrefix optional toLower unique;
  touchstone = config.boot.touchstone;
  cfg = config.boot.loader.touchstone;
  menu = config.boot.loader.systemd-boot;
  inherit (touchstone) signing measuredBoot;
  named = name: "boot.loader.touchstone.${name}";
  quoted = concatMapStringsSep ", " (name: "\"${name}\"");

  nixos = import ../nix-plugin/lib/nixos.nix;

  # All of them scripts.
  otherLoaders = import ./other-loaders.nix config;

  # What NixOS' installer of systemd-boot does and this one does not.
  unheard = map (name: "boot.loader.systemd-boot.${name}") (
    filter (name: menu.${name}.enable or false) [ "memtest86" "netbootxyz" "edk2-uefi-shell" ]
    ++ filter (name: (menu.${name} or { }) != { }) [ "windows" "extraEfiDrivers" ]
    ++ optional ((menu.extraInstallCommands or "") != "") "extraInstallCommands"
  );

  inherit (cfg.settings) volumes;
  mountPoints = concatMap (volume: [ volume.esp ] ++ optional (volume.xbootldr != null) volume.xbootldr) volumes;
  isBelow = folder: path: path == folder || hasPrefix "${folder}/" path;

  # Names as FAT has them, and of them those that are the installer's or the boot loader's own.
  isName = name: name != "" && name != "." && name != ".."
    && builtins.match ".*[\"*:<>?\\|[:cntrl:]].*" name == null && builtins.match ".*[. ]" name == null && builtins.stringLength name <= 255;
  isEspPath = path: lib.all isName (lib.splitString "/" path);
  isTaken = path: builtins.match "efi/nixos(/.*)?|efi/linux/nixos-.*|loader/entries/nixos-.*|loader/loader\\.conf|loader/random-seed|loader/entries\\.srel|efi/boot/boot[a-z0-9]*\\.efi|efi/systemd/systemd-boot[a-z0-9]*\\.efi" (toLower path) != null;
  files = attrNames cfg.extraFiles;
  isEntry = name: builtins.match "[A-Za-z0-9._-]+\\.conf" name != null && !hasPrefix "nixos-" (toLower name);
  misnamed = filter (name: !isEntry name) (attrNames cfg.extraEntries);

  taken = filter (key: builtins.elem key [ "default" "preferred" "timeout" "editor" "console-mode" "reboot-for-bitlocker" ]) (attrNames cfg.loaderConf);
  unwritable = filter (key: builtins.match "[a-z0-9-]+" key == null || lib.hasInfix "\n" (toString cfg.loaderConf.${key})) (attrNames cfg.loaderConf);

  isKey = key: builtins.match "[^:[:space:]]+:[A-Za-z0-9+/]{43}=" key != null;
  unread = filter (key: !isKey key) cfg.trustedPublicKeys;

  limit = menu.configurationLimit or null;
  timeout = config.boot.loader.timeout;
  secrets = nixos.initrdSecretsOf config;

  # The installer finds a secret where the initrd has it.
  isCanonical = path: hasPrefix "/" path && lib.all (name: name != "" && name != "." && name != "..") (lib.tail (lib.splitString "/" path))
    && !lib.any (folder: isBelow folder path) [ builtins.storeDir "/dev" "/proc" "/run" "/sys" ];
  isMoved = path: let source = config.boot.initrd.secrets.${path}; in !isCanonical path || (source != null && toString source != path);
  moved = filter isMoved (attrNames config.boot.initrd.secrets);
in
[
  {
    assertion = touchstone.enable;
    message = ''
      ${named "enable"}: the installer reads what Touchstone's modules say of the images, and they are off. Write
      `boot.touchstone.enable = true;`, or `${named "enable"} = false;`.'';
  }
  {
    assertion = otherLoaders == [ ];
    message = ''
      ${named "enable"}: ${concatMapStringsSep " and " (name: "boot.loader.${name}") otherLoaders} would install a boot loader as well. Write
      ${concatMapStringsSep " and " (name: "`boot.loader.${name}.enable = false;`") otherLoaders}; systemd-boot itself is installed by Touchstone.'';
  }
  {
    assertion = unheard == [ ];
    message = ''
      ${named "enable"}: ${concatStringsSep " and " unheard} is done by NixOS' own installer of systemd-boot alone. Take it out, and write the files
      and entries themselves into `${named "extraFiles"}` and `${named "extraEntries"}`.'';
  }
  {
    assertion = config.boot.bootspec.enable;
    message = ''
      ${named "enable"}: the installer reads the boot.json of each generation, and NixOS writes none. Write
      `boot.bootspec.enable = true;`, or `${named "enable"} = false;`.'';
  }
  {
    assertion = secrets == [ ] || cfg.images == "kernel";
    message = ''
      ${named "images"}: nothing can be appended to a unified kernel image when it is installed, so that the system would boot without the
      secrets of ${concatStringsSep " and " secrets}. Take them out and hand them over as systemd credentials, or write
      `${named "images"} = "kernel";` and `boot.touchstone.uki.enable = false;`.'';
  }
  {
    assertion = moved == [ ];
    message = ''
      ${named "images"}: of boot.initrd.secrets, ${quoted moved} would lie elsewhere in the initrd than on the machine, in the store, or where the
      initrd mounts something (docs/org.nixos.initrd-secrets.v1.md). Write the same path on both sides, such as
      `boot.initrd.secrets."/etc/secrets/initrd/key" = null;`.'';
  }
  {
    assertion = lib.all (hasPrefix "/") mountPoints && unique mountPoints == mountPoints;
    message = ''
      ${named "mirrors"}: of ${quoted mountPoints}, each must be the absolute path of a mount point, and no two the same. Write, for example,
      `boot.loader.efi.efiSysMountPoint = "/efi";`, `boot.loader.systemd-boot.xbootldrMountPoint = "/boot";` and
      `${named "mirrors"} = [{ esp = "/boot2"; }];`.'';
  }
  {
    assertion = hasPrefix "/" cfg.stateFile && !lib.any (folder: isBelow folder cfg.stateFile) mountPoints;
    message = ''
      ${named "stateFile"}: "${cfg.stateFile}" is no absolute path, or lies on a partition whose content it vouches for. Write the path of a
      file elsewhere, such as "/var/lib/touchstone/esp.json".'';
  }
  {
    assertion = lib.all isEspPath files;
    message = ''
      ${named "extraFiles"}: ${quoted (filter (path: !isEspPath path) files)} is no path that a FAT file system can have. Write a relative path
      such as "EFI/tools/shell.efi", without empty, `.` and `..` components.'';
  }
  {
    assertion = !lib.any isTaken files;
    message = ''
      ${named "extraFiles"}: ${quoted (filter isTaken files)} is what the installer, or systemd-boot, writes there itself. Write another path,
      such as "EFI/tools/shell.efi".'';
  }
  {
    assertion = misnamed == [ ];
    message = ''
      ${named "extraEntries"}: ${quoted misnamed} cannot name an entry. Write letters, digits, dots, dashes and underscores, then ".conf", and
      not "nixos-" in front, which the installer's own entries have.'';
  }
  {
    assertion = taken == [ ];
    message = ''
      ${named "loaderConf"}: ${quoted taken} is the installer's, or has an option of NixOS' own (`boot.loader.timeout`,
      `boot.loader.systemd-boot.editor`, `consoleMode`, `rebootForBitlocker`). Take it out here.'';
  }
  {
    assertion = unwritable == [ ];
    message = ''
      ${named "loaderConf"}: ${quoted unwritable} is no key of loader.conf, or its value has more than one line. Write keys as systemd does, such as
      "auto-firmware".'';
  }
  {
    assertion = (limit == null || limit >= 0) && (timeout == null || timeout >= 0);
    message = ''
      ${named "enable"}: boot.loader.systemd-boot.configurationLimit or boot.loader.timeout is less than nothing. Write a number of
      generations, and of seconds, or null.'';
  }
  {
    assertion = !generation.isSigned touchstone || touchstone.sealed.enable || touchstone.sealed.inside || (config.isSpecialisation or false);
    message = ''
      ${named "enable"}: the images of this configuration are signed elsewhere (the signing method is "${signing.method}"), and are no part of the
      generation that is installed. Write `boot.touchstone.sealed.enable = true;`, or another `boot.touchstone.signing.method`.'';
  }
  {
    assertion = cfg.images == "uki" || signing.method != "install";
    message = ''
      ${named "images"}: with "kernel", no signature covers initrd and command line, and the signing method "install" would promise one. Write
      `${named "images"} = "uki";`, or `boot.touchstone.signing.method = "none";`.'';
  }
  {
    assertion = cfg.images == "uki" || !measuredBoot.enable;
    message = ''
      ${named "images"}: what is predicted is the boot of a unified kernel image, and "kernel" starts none. Write
      `${named "images"} = "uki";`, or `boot.touchstone.measuredBoot.enable = false;`.'';
  }
  {
    assertion = !touchstone.uki.shareSpecialisations;
    message = ''
      ${named "enable"}: every specialisation is installed as an image of its own, so that it is tried and counted for itself. Write
      `boot.touchstone.uki.shareSpecialisations = false;`.'';
  }
  {
    assertion = measuredBoot.bootPath.shim == null || !cfg.installLoader
      || touchstone.sealed.enable || touchstone.sealed.inside || (config.isSpecialisation or false);
    message = ''
      ${named "installLoader"}: the shim of `boot.touchstone.measuredBoot.bootPath.shim` is installed as part of a sealed generation alone, and
      the installer would put systemd-boot where the firmware looks for it. Write `boot.touchstone.sealed.enable = true;`, or
      `${named "installLoader"} = false;` and install shim and boot loader by hand.'';
  }
  {
    assertion = cfg.policy == null || (measuredBoot.enable && cfg.policy.pcrs != [ ] && lib.subtractLists measuredBoot.pcrs cfg.policy.pcrs == [ ]);
    message = ''
      ${named "policy"}: a policy is made of predicted values, and not all of its registers are predicted. Write
      `boot.touchstone.measuredBoot.enable = true;`, and registers of `boot.touchstone.measuredBoot.pcrs` into `${named "policy.pcrs"}`.'';
  }
  {
    assertion = cfg.policy == null || touchstone.sealed.enable || touchstone.sealed.inside || (config.isSpecialisation or false);
    message = ''
      ${named "policy"}: a policy admits what was predicted, and only sealed generations bring their predictions along. Write
      `boot.touchstone.sealed.enable = true;`, or `${named "policy"} = null;`.'';
  }
  {
    assertion = cfg.policy == null || (if hasPrefix "/" cfg.policy.output then !hasPrefix builtins.storeDir cfg.policy.output else isEspPath cfg.policy.output && !isTaken cfg.policy.output);
    message = ''
      ${named "policy.output"}: "${cfg.policy.output}" is neither an absolute path outside of the store nor a free path on the partition. Write, for
      example, "/var/lib/touchstone/policy.json".'';
  }
  {
    assertion = unread == [ ];
    message = ''
      ${named "trustedPublicKeys"}: ${quoted unread} is no public key of Nix. Write what `nix key convert-secret-to-public` prints: a name, a
      colon, and 44 characters.'';
  }
  {
    assertion = cfg.trustedPublicKeys == [ ] || cfg.sigsNeeded <= builtins.length (unique cfg.trustedPublicKeys);
    message = ''
      ${named "sigsNeeded"}: ${toString cfg.sigsNeeded} signatures are asked for, of fewer keys in `${named "trustedPublicKeys"}`, so that no
      system could be activated. Write `${named "sigsNeeded"} = ${toString (builtins.length (unique cfg.trustedPublicKeys))};`, or more keys.'';
  }
]
