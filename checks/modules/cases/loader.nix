# The installer: what it reads, that nothing stands around it, and what of NixOS' own options it hears.
{ lib, is, bareOf, configOf, evaluates, failing, files, installers, minimal, package, crossPkgs, ... }:

let
  inherit (lib) mkForce;
  certificate = files."db.pem";
  install = { method = "install"; key = "/keys/db.key"; inherit certificate; };
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };

  with' = module: { imports = [ module ]; boot.loader.touchstone.enable = true; };
  loader = settings: { boot.loader.touchstone = { enable = true; } // settings; };

  # What the build of the toplevel writes into it, read back.
  linesOf = config: lib.filter (lib.hasInfix "touchstone/install.json") (lib.splitString "\n" config.system.build.toplevel.buildCommand);
  documentIn = config: config.boot.loader.touchstone.settings;
  documentOf = module: documentIn (configOf (with' module));

  plain = configOf (with' { });
  nothing = configOf { };
  inherit ((configOf ({ pkgs, ... }: { system.build = { inherit pkgs; }; })).system.build) pkgs;
  key = name: "${name}:${lib.concatStrings (lib.genList (_: "A") 43)}=";
  # Points of the curve, as the installer wants them.
  signers = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" "nix-community.cachix.org-1:mB9FSh9qf2dCimDSUo8Zy7bkq5CX+/rkCWyvRCYg3Fs=" ];

  everything = {
    boot.loader = {
      timeout = null;
      efi = { efiSysMountPoint = "/efi"; canTouchEfiVariables = true; };
      systemd-boot = {
        xbootldrMountPoint = "/boot";
        editor = true;
        sortKey = "a-nixos";
        configurationLimit = 7;
        consoleMode = "max";
        rebootForBitlocker = true;
        bootCounting = { enable = true; tries = 2; };
      };
      touchstone = {
        mirrors = [{ esp = "/efi2"; xbootldr = "/boot2"; } { esp = "/efi3"; }];
        loaderConf = { beep = true; auto-firmware = false; random-seed-mode = "always"; };
        extraFiles."EFI/tools/shell.efi" = files."shim.efi";
        extraEntries."shell.conf" = "title Shell\nefi /EFI/tools/shell.efi\n";
        stateFile = "/persist/esp.json";
        policy = { output = "loader/policy.json"; pcrs = [ 11 ]; bank = "sha384"; };
        trustedPublicKeys = [ (key "a") "${key "b"}\n" ];
        sigsNeeded = 2;
      };
    };
    boot.touchstone = {
      signing = install // { pinSource = "/run/pin"; };
      uki = {
        splash = files."logo.bmp";
        profiles.debug.kernelParams = [ "debug" ];
        extraSections.".fleet".text = "rack 4";
      };
      measuredBoot = { enable = true; policy = { enable = true; key = "/keys/pcr.key"; publicKey = files."pcr.pem"; }; };
    };
    boot.initrd.verify = {
      enable = true;
      trustedPublicKeys = map (signer: "${signer}\n") signers;
      sigsNeeded = 2;
      signing = { enable = true; keyFile = "/keys/nix"; };
      manifest = { carrier = "esp"; class = "kiosk"; };
    };
    system.nixos.distroName = "Example OS";
  };
in
{
  "shim is installed where a sealed generation brings it along" = is [ ]
    (failing (configOf (with' { boot.touchstone = { signing = detached; sealed.enable = true; measuredBoot.bootPath.shim = files."shim.efi"; }; })));
  "the installer is the program itself" = is "${installers.touchstone}/bin/touchstone-install" plain.system.build.installBootLoader;
  "the boot loader has a name" = is "touchstone" plain.system.boot.loader.id;
  "none of NixOS' own is on" = is [ false false ] [ plain.boot.loader.grub.enable plain.boot.loader.systemd-boot.enable ];
  "the menu's editor is off" = is false plain.boot.loader.systemd-boot.editor;
  "unless somebody turns it on" = is "yes" (documentOf { boot.loader.systemd-boot.editor = true; }).loaderConf.editor;
  "not installed, the editor is NixOS' matter" = is true nothing.boot.loader.systemd-boot.editor;
  "not installed, the toplevel has nothing of it" = is [ ] (linesOf nothing);
  "not installed, Touchstone does not touch the boot loader" = is false
    (lib.hasInfix "touchstone" (toString nothing.system.build.installBootLoader));
  "a configuration that sets nothing but the switches is valid" = is true (evaluates plain.system.build.toplevel.drvPath);
  "each generation keeps its key of sorting" = is "nixos" plain.boot.bootspec.extensions."org.nixos.systemd-boot".sortKey;

  "the installer appends secrets where it can, and nowhere else" = is [ false true ]
    (map (images: (configOf (loader { inherit images; })).boot.loader.supportsInitrdSecrets) [ "uki" "kernel" ]);
  "without secrets of the initrd, none are named" = is false (plain.boot.bootspec.extensions ? "org.nixos.initrd-secrets.v1");
  "secrets of the initrd are named in boot.json, for there is no program that appends them" = is
    [{ "etc:secrets:key" = "/etc/secrets/key"; } [ ] true]
    (
      let
        config = configOf {
          imports = [ (loader { images = "kernel"; }) ];
          boot.initrd.secrets."/etc/secrets/key" = null;
          boot.touchstone.uki.enable = false;
        };
      in
      [
        config.boot.bootspec.extensions."org.nixos.initrd-secrets.v1"
        (failing config)
        (lib.hasInfix "bootspec upgrade" config.system.build.toplevel.buildCommand)
      ]
    );

  "what it reads, where nothing is set" = is
    {
      version = 1;
      volumes = [{ esp = "/boot"; xbootldr = null; }];
      loader.image = "${plain.systemd.package}/lib/systemd/boot/efi/systemd-bootx64.efi";
      loaderConf = { timeout = "5"; editor = "no"; console-mode = "keep"; };
      sortKey = "nixos";
      configurationLimit = null;
      bootCounting = null;
      images = "uki";
      stub = "${plain.systemd.package}/lib/systemd/boot/efi/linuxx64.efi.stub";
      splash = null;
      profiles = [ ];
      sections = [ ];
      pcrSign = null;
      signing = null;
      extraFiles = { };
      extraEntries = { };
      touchEfiVariables = false;
      trustedPublicKeys = [ ];
      sigsNeeded = 1;
      policy = null;
      verify = null;
      state = "/var/lib/touchstone/esp.json";
      distro = plain.system.nixos.distroName;
    }
    (documentIn plain);
  "what it reads, where everything is set" = is
    {
      version = 1;
      volumes = [{ esp = "/efi"; xbootldr = "/boot"; } { esp = "/efi2"; xbootldr = "/boot2"; } { esp = "/efi3"; xbootldr = null; }];
      loader.image = "${plain.systemd.package}/lib/systemd/boot/efi/systemd-bootx64.efi";
      loaderConf = {
        timeout = "menu-force";
        editor = "yes";
        console-mode = "max";
        reboot-for-bitlocker = "yes";
        beep = "yes";
        auto-firmware = "no";
        random-seed-mode = "always";
      };
      sortKey = "a-nixos";
      configurationLimit = 7;
      bootCounting.tries = 2;
      images = "uki";
      stub = "${plain.systemd.package}/lib/systemd/boot/efi/linuxx64.efi.stub";
      splash = files."logo.bmp";
      profiles = [{ id = "debug"; title = "debug"; kernelParams = [ "debug" ]; }];
      sections = [{ name = ".fleet"; content = "rack 4"; }];
      pcrSign.keys = [{ key = "/keys/pcr.key"; publicKey = files."pcr.pem"; }];
      signing = { key = "/keys/db.key"; pinSource = "/run/pin"; inherit certificate; };
      extraFiles."EFI/tools/shell.efi" = files."shim.efi";
      extraEntries."shell.conf" = "title Shell\nefi /EFI/tools/shell.efi\n";
      touchEfiVariables = true;
      trustedPublicKeys = [ (key "a") (key "b") ];
      sigsNeeded = 2;
      policy = { output = "loader/policy.json"; pcrs = [ 11 ]; bank = "sha384"; };
      verify = {
        carrier = "esp";
        class = "kiosk";
        keyFile = "/keys/nix";
        trustedPublicKeys = signers;
        sigsNeeded = 2;
      };
      state = "/persist/esp.json";
      distro = "Example OS";
    }
    (documentOf everything);

  "no limit, as NixOS' systemd-boot has it" = is null (documentOf { boot.loader.systemd-boot.configurationLimit = 0; }).configurationLimit;
  "kernel and initrd as files of their own" = is "kernel" (documentIn (configOf (loader { images = "kernel"; }))).images;
  "images that are signed elsewhere are those of sealed generations" = is [ "sealed" null ]
    (let document = documentOf { boot.touchstone = { signing = detached; sealed.enable = true; }; }; in [ document.images document.signing ]);
  "a boot loader that is left alone" = is [ null null ]
    (map (module: (documentOf module).loader) [ (loader { installLoader = false; }) { boot.touchstone.measuredBoot.bootPath.loader = null; } ]);
  "files and entries of NixOS' own options are heard" = is [ files."shim.efi" "title Shell\n" ]
    (
      let
        document = documentOf {
          boot.loader.systemd-boot = { extraFiles."EFI/shell.efi" = files."shim.efi"; extraEntries."shell.conf" = "title Shell\n"; };
        };
      in
      [ document.extraFiles."EFI/shell.efi" document.extraEntries."shell.conf" ]
    );
  "what signs register 11 is named where the machine signs alone" = is null
    (documentOf { boot.touchstone = { signing = install; measuredBoot = { enable = true; policy = { key = "/keys/pcr.key"; }; }; }; }).pcrSign;

  "a key in a TPM is reached by the program that can" = is "${installers.touchstone-full}/bin/touchstone-install"
    (configOf (with' { boot.touchstone.signing = install // { key = "tpm2:handle=0x81010001"; }; })).system.build.installBootLoader;
  "so is a policy's key in a token" = is "${installers.touchstone-full}/bin/touchstone-install"
    (configOf (with' {
      boot.touchstone = { signing = install; measuredBoot = { enable = true; policy = { enable = true; key = "pkcs11:object=pcr"; }; }; };
    })).system.build.installBootLoader;
  "what is not used decides nothing" = is "${installers.touchstone}/bin/touchstone-install"
    (configOf (with' { boot.touchstone.signing.key = "tpm2:handle=0x81010001"; })).system.build.installBootLoader;

  "the build of the toplevel copies it" = is [ "cp ${pkgs.writeText "install.json" (builtins.toJSON (documentIn plain))} \"$out/touchstone/install.json\"" ]
    (linesOf plain);
  "each specialisation has its own" = is [ 1 [ "rescue" ] ]
    (
      let
        config = configOf (with' { specialisation.rescue.configuration = { boot.touchstone.uki.profiles.rescue-shell = { }; }; });
        child = config.specialisation.rescue.configuration;
      in
      [ (lib.length (linesOf child)) (if linesOf child != linesOf config then [ "rescue" ] else [ ]) ]
    );
  "a sealed generation's is that of what is inside" = is 1
    (lib.length (lib.filter (lib.hasInfix "touchstone/install.json") (lib.splitString "\n"
      (configOf (with' { boot.touchstone = { signing = detached; sealed.enable = true; }; })).system.build.toplevel.inner.buildCommand)));
  "the installer is on the machine" = is true
    (lib.elem installers.touchstone.drvPath (map (one: one.drvPath or null) plain.environment.systemPackages));
} // lib.mapAttrs'
  (what: settings: lib.nameValuePair "refused: ${what}"
    (is false (evaluates (removeAttrs (configOf (loader settings)).boot.loader.touchstone [ "packages" ]))))
  {
    "images of another kind" = { images = "sealed"; };
    "a mirror that is a number" = { mirrors = [ 2 ]; };
    "a mirror without a mount point" = { mirrors = [{ xbootldr = "/boot2"; }]; };
    "a list for a value of loader.conf" = { loaderConf.beep = [ true ]; };
    "a text for an extra file" = { extraFiles."EFI/shell.efi" = "shell.efi"; };
    "no signature at all" = { sigsNeeded = 0; };
    "a policy without registers" = { policy = { }; };
    "a policy of an unknown bank" = { policy = { pcrs = [ 11 ]; bank = "md5"; }; };
    "a register that no TPM has" = { policy.pcrs = [ 24 ]; };
    "an option that does not exist" = { agent = true; };
  } // lib.optionalAttrs minimal {
  "without a flake, the installer is that of nixpkgs" = is "${package}/bin/touchstone-install"
    (bareOf (with' { _module.args.pkgs = mkForce (crossPkgs // { touchstone = package; }); })).system.build.installBootLoader;
  "what runs on another machine is not guessed" = is false
    (evaluates (bareOf (with' { _module.args.pkgs = mkForce crossPkgs; boot.touchstone = { inherit package; }; })).system.build.installBootLoader);
  "on the machine that builds, the builder's package has it as well" = is "${package}/bin/touchstone-install"
    (bareOf (with' { boot.touchstone = { inherit package; }; })).system.build.installBootLoader;
}
