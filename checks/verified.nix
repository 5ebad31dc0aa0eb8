# Generations with systemd in the initrd: Debian's, with the units of nixpkgs' initrd and their order (commits 00e6b22b508f and, for /etc,
# 0a1ac06e40e7); where NixOS has scripts and programs of its own, the probe stands in for them under their names. What follows is from checks/generations.nix, and:
#
#   systemd      the folder that the harness laid out: programs, libraries and units of Debian's systemd, as they belong into the initrd
#   modules      kernel modules, in the order of their loading
#   root         the device of the system's root
#   etcImage     an image of a file system: what the system with nixos-init has as /etc
#   stage1       the program touchstone-stage1, linked statically
#   trusted      the public key that the initrds trust; its secret half is `manifestKey`
{ described
, file
, lib
, linux
, manifestKey
, osRelease
, probe
, probed
, system
, systemd
, modules
, root
, etcImage
, stage1
, trusted
}:

let
  inherit (builtins) attrNames baseNameOf concatMap concatStringsSep listToAttrs map mapAttrs;

  tree = builtins.path { name = "debian-systemd"; path = systemd; };
  program = "${probe}/bin/touchstone-probe";

  # Names under which the probe stands in for what NixOS has in its initrd.
  standIns = [ "load-modules" "initrd-find-nixos-closure" "initrd-nixos-activation" "find-etc" "initrd-init" ];

  unit = sections: concatStringsSep "\n" (map
    (name: concatStringsSep "\n" ([ "[${name}]" ] ++ sections.${name} ++ [ "" ]))
    (attrNames sections));

  # A unit with who asks for it, as systemd's generators of units put that into the file system.
  asked = name: { text, requiredBy ? [ ], wantedBy ? [ ] }:
    let
      by = kind: other: { name = "etc/systemd/system/${other}.${kind}/${name}"; value.link = "../${name}"; };
    in
    [{ name = "etc/systemd/system/${name}"; value = { inherit text; }; }]
    ++ map (by "requires") requiredBy ++ map (by "wants") wantedBy;

  asFiles = units: listToAttrs (concatMap (name: asked name units.${name}) (attrNames units));

  oneshot = command: [ "Type=oneshot" "ExecStart=${command}" ];
  lasting = command: oneshot command ++ [ "RemainAfterExit=yes" ];

  # What the kernel needs; NixOS has systemd-modules-load and udev for it.
  loading."load-modules.service" = {
    wantedBy = [ "sysinit.target" ];
    text = unit {
      Unit = [ "DefaultDependencies=no" "Before=sysinit.target" "Before=systemd-udev-trigger.service" ];
      Service = lasting "/usr/bin/load-modules";
    };
  };

  mountOfRun."sysroot-run.mount" = {
    requiredBy = [ "initrd-fs.target" ];
    text = unit {
      Unit = [ "DefaultDependencies=no" "Before=initrd-fs.target" ];
      Mount = [ "What=/run" "Where=/sysroot/run" "Options=bind" ];
    };
  };

  # nixos/modules/system/boot/systemd/initrd.nix
  activated = {
    "initrd-find-nixos-closure.service" = {
      requiredBy = [ "initrd.target" ];
      text = unit {
        Unit = [
          "DefaultDependencies=no"
          "RequiresMountsFor=/sysroot/nix/store"
          "Before=initrd.target shutdown.target"
          "Conflicts=shutdown.target"
        ];
        Service = lasting "/usr/bin/initrd-find-nixos-closure";
      };
    };
    "initrd-nixos-activation.service" = {
      requiredBy = [ "initrd-switch-root.service" ];
      text = unit {
        Unit = [
          "DefaultDependencies=no"
          "AssertPathExists=/etc/initrd-release"
          "RequiresMountsFor=/sysroot/run"
          "After=initrd-switch-root.target"
          "Before=initrd-switch-root.service"
        ];
        Service = oneshot "/usr/bin/initrd-nixos-activation";
      };
    };
  };
  switched = unit {
    Service = [ "EnvironmentFile=-/etc/switch-root.conf" "ExecStart=" "ExecStart=systemctl --no-block switch-root /sysroot \"\${NEW_INIT}\"" ];
  };

  # nixos/modules/system/etc/etc-activation.nix
  initialized = {
    "initrd-find-etc.service" = {
      requiredBy = [ "initrd.target" ];
      text = unit {
        Unit = [
          "DefaultDependencies=no"
          "RequiresMountsFor=/sysroot/nix/store"
          "Before=shutdown.target"
          "Conflicts=shutdown.target"
        ];
        Service = lasting "/usr/bin/find-etc";
      };
    };
    "run-nixos\\x2detc\\x2dmetadata.mount" = {
      requiredBy = [ "initrd-fs.target" ];
      text = unit {
        Unit = [
          "DefaultDependencies=no"
          "RequiresMountsFor=/sysroot/nix/store"
          "Requires=initrd-find-etc.service"
          "After=initrd-find-etc.service"
          "Before=initrd-fs.target"
          "ConditionPathExists=/etc-metadata-image"
        ];
        Mount = [ "What=/etc-metadata-image" "Where=/run/nixos-etc-metadata" "Type=ext4" "Options=loop,ro,nodev,nosuid" ];
      };
    };
    "sysroot-etc.mount" = {
      requiredBy = [ "initrd-fs.target" ];
      text = unit {
        Unit = [
          "DefaultDependencies=no"
          "RequiresMountsFor=/sysroot/nix/store /run/nixos-etc-metadata"
          "Requires=initrd-find-etc.service"
          "After=initrd-find-etc.service"
          "Before=initrd-fs.target"
          "ConditionPathExists=/etc-basedir"
        ];
        Mount = [
          "What=overlay"
          "Where=/sysroot/etc"
          "Type=overlay"
          "Options=nodev,nosuid,relatime,ro,redirect_dir=on,metacopy=on,lowerdir=/run/nixos-etc-metadata::/etc-basedir"
        ];
      };
    };
  };
  initialization = unit { Service = [ "ExecStart=" "ExecStart=/usr/bin/initrd-init" ]; };

  common = {
    "etc/fstab".text = "";
    "etc/initrd-fstab".text = "${root} / ext4 x-initrd.mount,rw 0 0\n";
    "etc/initrd-release".text = osRelease;
    "etc/os-release".text = osRelease;
    "etc/passwd".text = "root:x:0:0:root:/root:/bin/sh\n";
    "etc/group".text = "root:x:0:\n";
    "etc/systemd/system.conf".text = ''
      [Manager]
      DefaultEnvironment=PATH=/bin:/sbin
      ManagerEnvironment=PATH=/bin:/sbin SYSTEMD_SYSROOT_FSTAB=/etc/initrd-fstab
    '';
    "etc/systemd/system/default.target".link = "/usr/lib/systemd/system/initrd.target";
    "etc/systemd/system/initrd-parse-etc.service.d/overrides.conf".text =
      unit { Service = [ "Environment=SYSTEMD_SYSROOT_FSTAB=/etc/initrd-fstab" ]; };
    init.link = "/usr/lib/systemd/systemd";
    "usr/bin/touchstone-probe".source = program;
  } // listToAttrs (map (name: { name = "usr/bin/${name}"; value.link = "touchstone-probe"; }) standIns)
  // asFiles (loading // mountOfRun);

  # What `boot.initrd.verify` puts into an initrd, by the functions of the module: the same bytes.
  verifying = { onFailure ? "reboot", carrier ? "image", measure ? null, class ? null }:
    let
      units = import ../nixos-modules/verify-units.nix { inherit onFailure; measure = measure != null; };
      conf = import ../nixos-modules/verify-conf.nix {
        inherit class measure onFailure;
        keys = [ trusted ];
        manifest = carrier;
        init = "/usr/lib/systemd/systemd";
      };
    in
    listToAttrs (map (name: { name = "etc/systemd/system/${name}"; value.text = units.files.${name}; }) (attrNames units.files))
    // { "etc/touchstone/stage1.conf".text = conf; init.source = file "touchstone-stage1" stage1; };

  initrd = { nixosInit, verify }: probed "initrd-systemd" {
    mode = "initrd";
    trees = [ tree ];
    modules = map (path: file (baseNameOf path) path) modules;
    files = common
      // asFiles (if nixosInit then initialized else activated)
      // { "etc/systemd/system/initrd-switch-root.service.d/overrides.conf".text = if nixosInit then initialization else switched; }
      // (if verify == null then { } else verifying verify);
  };

  generation = { name, nixosInit ? false, verify ? null, isSystem ? true }: rec {
    inherit system;
    label = "Touchstone check, ${name}";
    kernel = linux;
    kernelParams = [ "console=ttyS0" "panic=-1" "oops=panic" "no_timer_check" "root=fstab" ]
      ++ (if verify == null then [ ] else [ "noresume" ]);
    initrds = [ "${initrd { inherit nixosInit verify; }}/initrd" ];
    init = "${toplevel}/init";
    toplevel = if !isSystem then "${probed "touchstone-no-system" { mode = "recorders"; inherit program; }}" else
    probed "touchstone-system-${name}" {
      mode = "toplevel";
      kernel = linux;
      initrd = builtins.head initrds;
      init = program;
      nixosVersion = label;
      links = {
        prepare-root = program;
        # What a system has beside its programs: libraries, and files of many folders.
        sw = tree;
      } // (if nixosInit then { etc-metadata-image = file "etc-metadata.img" etcImage; etc-basedir = tree; } else { });
      inherit kernelParams system;
    };
  };

  signed = toplevel: class: lib.signManifest {
    manifest = lib.mkManifest { inherit toplevel class; };
    key = manifestKey;
  };

  artifacts = attributes:
    let
      made = generation attributes;
      asked = attributes.verify or null;
      manifest = signed made.toplevel (asked.class or null);
    in
    lib.mkBootArtifacts (described made // { name = "${attributes.name}-boot-artifacts"; } // (
      if asked == null then { }
      else { manifestKey = null; verify = { inherit manifest; } // (if (asked.carrier or "image") == "esp" then { carrier = "esp"; } else { }); }
    ));
in
mapAttrs (name: attributes: artifacts ({ inherit name; } // attributes)) {
  unverified = { };
  unverified-nixos-init = { nixosInit = true; };
  verified = { verify = { }; };
  verified-nixos-init = { nixosInit = true; verify = { measure = 15; }; };
  verified-esp = { verify = { carrier = "esp"; class = "check"; }; };
  verified-halt = { verify = { onFailure = "halt"; }; };
  # Signed as well as any other, and no system: of NixOS it has not even a name.
  no-system = { isSystem = false; verify = { }; };
}
