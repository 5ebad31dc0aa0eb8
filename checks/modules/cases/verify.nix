# Verification in the initrd: what lies in it, which units there are, and what the rest of the boot hears of it.
{ lib, is, configOf, evaluates, failing, files, installers, verified, key, minimal, ... }:

let
  inherit (lib) mkForce;
  inherit (builtins) attrNames filter map;

  with' = module: configOf { imports = [ verified module ]; };
  verify = settings: with' { boot.initrd.verify = settings; };
  plain = with' { };
  off = configOf { };
  conf = config: config.boot.initrd.systemd.contents."/etc/touchstone/stage1.conf".text;
  linesOf = config: lib.splitString "\n" (conf config);
  says = word: config: map (lib.removePrefix "${word} ") (filter (lib.hasPrefix "${word} ") (linesOf config));
  unitOf = config: config.boot.initrd.systemd.units."touchstone-verify.service".text;

  # As it is to be written, to the word.
  asked = {
    imports = [ verified ];
    boot.initrd.verify = {
      enable = true;
      sigsNeeded = 1;
      trustedPublicKeys = mkForce [ (builtins.readFile ../public-key-file) ];
    };
  };

  everything = verify {
    trustedPublicKeys = [ "${key "a"}\n" (other "b") ];
    sigsNeeded = 2;
    onFailure = "reboot";
    manifest = { carrier = "esp"; class = "kiosk"; measure = true; };
  };
  sealed = with' {
    boot.touchstone = {
      sealed.enable = true;
      signing = { method = "detached"; certificate = files."db.pem"; signatures = files."signatures"; };
    };
    specialisation.office.configuration = { };
  };
  other = name: "${name}:${lib.concatStrings (lib.genList (_: "E") 43)}=";

  refused = {
    "an action that nobody knows" = { onFailure = "poweroff"; };
    "a carrier that nobody knows" = { manifest.carrier = "root"; };
    "a number that is a text" = { sigsNeeded = "1"; };
    "one key" = { trustedPublicKeys = key "a"; };
    "an option that does not exist" = { package = null; };
  };
  valuesOf = settings: removeAttrs (verify settings).boot.initrd.verify [ "_module" ];

  units = import ../../../nixos-modules/verify-units.nix { };
  dropIns = package: lib.removePrefix "etc/systemd/system/" package.path;
  linesWith = prefix: config: map (lib.removePrefix "Before=") (filter (lib.hasPrefix prefix) (lib.splitString "\n" (unitOf config)));

  # In docs/stage1-units.md.
  rootUnits = [
    "initrd-cleanup.service"
    "initrd-find-etc.service"
    "initrd-find-nixos-closure.service"
    "initrd-fs.target"
    "initrd-nixos-activation.service"
    "initrd-parse-etc.service"
    "initrd-switch-root.service"
    "initrd.target"
    "run-etc\\x2dmetadata.mount"
    "run-nixos\\x2detc\\x2dmetadata.mount"
    "rw-etc.service"
    "sysroot-etc.mount"
    "systemd-tmpfiles-setup-sysroot.service"
  ];

  nixosInit = with' { system.nixos-init.enable = true; services.userborn.enable = true; };
  mutable = with' { system.etc.overlay.mutable = mkForce true; boot.initrd.verify.allowMutableEtc = true; };
  # The services of the initrd that NixOS has a name of its own for.
  servicesOf = config: map (name: "${name}.service")
    (filter (name: lib.hasPrefix "initrd-" name || name == "rw-etc") (attrNames config.boot.initrd.systemd.services));
  addedTo = config: {
    unit = unitOf config;
    conf = conf config;
    init = config.boot.initrd.systemd.contents."/init".source;
    additions = map (package: package.name) config.boot.initrd.systemd.packages;
    failing = failing config;
  };
in
{
  "off by default, and then the initrd is NixOS' own" = is [ false false false ]
    [ off.boot.initrd.verify.enable (off.boot.initrd.systemd.units ? "touchstone-verify.service") (off.boot.initrd.systemd.contents ? "/etc/touchstone/stage1.conf") ];
  "there are exactly these options" = is
    [ "allowMutableEtc" "enable" "manifest" "onFailure" "signing" "sigsNeeded" "trustedPublicKeys" ]
    (attrNames off.boot.initrd.verify);
  "their defaults" = is
    {
      enable = false;
      sigsNeeded = 1;
      trustedPublicKeys = [ ];
      signing = { enable = false; keyFile = null; };
      onFailure = "halt";
      manifest = { carrier = "image"; class = null; measure = false; };
      allowMutableEtc = false;
    }
    off.boot.initrd.verify;
  "as it is asked for, a configuration is valid" = is [ ] (failing (configOf asked));
  "the newline of a file with a key is no part of it" = is [ (key "site-1") ] (says "key" (configOf asked));

  "the gate is what the initrd starts" = is "${installers.touchstone-stage1}/bin/touchstone-stage1" plain.boot.initrd.systemd.contents."/init".source;
  "and systemd is what it becomes" = is [ "${plain.systemd.package}/lib/systemd/systemd" ] (says "init" plain);
  "which is part of the initrd" = is true (builtins.elem "${plain.systemd.package}/lib/systemd/systemd" (map (path: path.source or path) plain.boot.initrd.systemd.storePaths));
  "the initrd's configuration, to the byte" = is
    ''
      version 1
      key ${key "a"}
      key ${other "b"}
      sigs-needed 2
      on-failure reboot
      manifest esp
      class kiosk
      measure 15
      sysroot /sysroot
      init ${plain.systemd.package}/lib/systemd/systemd
    ''
    (conf everything);
  "a key that is named twice is there once" = is [ (key "a") ] (says "key" (verify { trustedPublicKeys = [ (key "a") "${key "a"}\n" ]; }));
  "a manifest in a sealed generation lies on the root" = is [ "root" ] (says "manifest" (verify { manifest.carrier = "sealed"; }));
  "images that are signed before they are installed have it there" = is "sealed" sealed.boot.initrd.verify.manifest.carrier;
  "a shell is named where there is one" = is [ 1 0 ]
    (map (action: builtins.length (says "shell" (verify { onFailure = action; }))) [ "shell" "halt" ]);
  "credentials that the initrd's own units take are expected" = is [ "wifi.psk" "disk" "plain" ]
    (says "credential" (with' {
      boot.initrd.systemd.services = {
        a.serviceConfig = { LoadCredential = [ "psk:wifi.psk" "file:/etc/file" ]; LoadCredentialEncrypted = "disk"; };
        b.serviceConfig.LoadCredential = "plain";
      };
    }));

  "the unit is the one of the pure function" = is units.units."touchstone-verify.service" (unitOf plain);
  "everything that runs, mounts or reads something of the root waits for it, and needs it" = is rootUnits
    (filter (name: lib.all (line: lib.hasInfix "${line}=touchstone-verify.service\n" units.dropIns.${name}) [ "Requires" "After" ]) (attrNames units.dropIns));
  "and it says so itself" = is rootUnits (lib.naturalSort (lib.splitString " " (lib.head (linesWith "Before=initrd" plain))));
  "what NixOS' own initrd has for the root is among these, with nixos-init and without" = is [ [ ] [ ] [ ] ]
    (map (config: lib.subtractLists rootUnits (servicesOf config)) [ plain nixosInit mutable ]);
  "it sees what is mounted where systemd reads" = is true
    (lib.hasInfix "\nRequiresMountsFor=/sysroot/nix/store /sysroot/nix/var/touchstone/manifests /sysroot/nix/var/nix/profiles/default /sysroot/usr/lib /sysroot/usr/local /sysroot/.rw-etc/upper\n" (unitOf plain));
  "a /usr of its own is mounted by the initrd, and what lies beside these folders does not matter" = is [ ]
    (failing (with' {
      fileSystems = lib.genAttrs [ "/usr" "/usr/lib64" "/usr/share" "/nix/var/log" "/nix/var/nix/profiles/per-user" "/home" ]
        (_: { device = "/dev/vda3"; fsType = "ext4"; });
    }));
  "no condition may skip it, for then everything would go on without" = is false (lib.hasInfix "Condition" (unitOf plain));
  "a program that dies ends the machine" = is [ "halt-force" "reboot-force" "halt-force" ]
    (map (action: lib.removePrefix "FailureAction=" (lib.findFirst (lib.hasPrefix "FailureAction=") "" (lib.splitString "\n" (unitOf (verify { onFailure = action; })))))
      [ "halt" "reboot" "shell" ]);
  "it waits for the TPM where it measures" = is [ false true ] (map (config: lib.hasInfix "After=dev-tpmrm0.device" (unitOf config)) [ plain everything ]);

  "the image says what is to be verified" = is [{ } { carrier = "esp"; } null]
    (map (config: config.system.build.bootArtifacts.request.verify or null) [ plain everything off ]);
  "where values are predicted, the manifest lies where it changes none" = is "sealed"
    (with' { boot.touchstone.measuredBoot.enable = true; }).boot.initrd.verify.manifest.carrier;
  "and so do those of a sealed generation and its specialisations" = is [{ } { }]
    (map (config: config.system.build.toplevel.request.verify or null) [ sealed sealed.specialisation.office.configuration ]);
  "the installer hears where the manifest goes, and who signs it" = is
    { carrier = "esp"; class = "kiosk"; keyFile = null; trustedPublicKeys = [ (key "a") (other "b") ]; sigsNeeded = 2; }
    everything.boot.loader.touchstone.settings.verify;
  "and by which key the machine signs" = is "/var/lib/nix.key"
    (verify { signing = { enable = true; keyFile = "/var/lib/nix.key"; }; }).boot.loader.touchstone.settings.verify.keyFile;
  "or the machine's agent" = is [ "agent:nix" [ ] ]
    (let config = verify { signing = { enable = true; keyFile = "agent:nix"; }; }; in [ config.boot.loader.touchstone.settings.verify.keyFile (failing config) ]);
  "without verification it hears nothing" = is null
    (configOf { boot.loader.touchstone.enable = true; }).boot.loader.touchstone.settings.verify;
  "images that nobody signs are warned of" = is [ true false ]
    (map (config: lib.any (lib.hasPrefix "boot.initrd.verify.enable is true, and nobody signs") config.warnings) [ plain sealed ]);
  "nothing is resumed" = is true (builtins.elem "noresume" plain.boot.kernelParams);
  "a root on tmpfs has no mutable /etc" = is [ ]
    (failing (with' { system.etc.overlay.enable = mkForce false; fileSystems."/" = { device = mkForce "none"; fsType = mkForce "tmpfs"; }; }));
  "secrets of the initrd are refused, as in any image that is signed" = is true
    (lib.any (lib.hasInfix "boot.initrd.secrets would be appended") (failing (with' { boot.initrd.secrets."/etc/key" = "/etc/key"; })));
  "a sealed generation is verified as well" = is [ ] (failing sealed);
  "with nixos-init, the initrd is given the same, and nothing is in the way" = is (addedTo plain) (addedTo nixosInit);
} // lib.optionalAttrs minimal {
  "the additions to the units of others are those of the pure function" = is
    (lib.mapAttrs' (name: lib.nameValuePair "${name}.d/touchstone-verify.conf") units.dropIns)
    (lib.listToAttrs (map (package: lib.nameValuePair (dropIns package) package.text) plain.boot.initrd.systemd.packages));
  "nixos-init has other units in the initrd, and an /etc on the disk one more" = is
    [
      [ "initrd-find-etc.service" "initrd-find-nixos-closure.service" "initrd-nixos-activation.service" "initrd-switch-root.service" ]
      [ "initrd-find-etc.service" "initrd-switch-root.service" ]
      [ "initrd-find-etc.service" "initrd-find-nixos-closure.service" "initrd-nixos-activation.service" "initrd-switch-root.service" "rw-etc.service" ]
    ]
    (map servicesOf [ plain nixosInit mutable ]);
} // lib.mapAttrs' (what: settings: lib.nameValuePair "refused: ${what}" (is false (evaluates (valuesOf settings)))) refused
