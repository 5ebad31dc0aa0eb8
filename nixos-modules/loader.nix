# Who installs what boots: `touchstone-install`, in the place of NixOS' own boot loader installers. Where NixOS has an option for the
# boot loader already, that one holds: boot.loader.timeout, boot.loader.efi and boot.loader.systemd-boot.
{ config, lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkDefault mkIf mkOption types;
  touchstone = config.boot.touchstone;
  cfg = config.boot.loader.touchstone;
  inherit (touchstone) signing;

  generation = import ./generation.nix { inherit lib pkgs; inherit (touchstone) package; };
  file = pkgs.writeText "install.json" (builtins.toJSON cfg.settings);

  # Keys in tokens and TPMs are out of a static program's reach.
  isUri = key: builtins.isString key && (lib.hasPrefix "pkcs11:" key || lib.hasPrefix "tpm2:" key);
  reaches = signing.method == "install" && (isUri signing.key || isUri touchstone.measuredBoot.policy.key);
  variant = if reaches then "touchstone-full" else "touchstone";
  secrets = config.boot.initrd.secrets;
  named = path: _: lib.nameValuePair (lib.replaceStrings [ "/" ] [ ":" ] (lib.removePrefix "/" path)) path;
  native = pkgs.stdenv.buildPlatform.system == pkgs.stdenv.hostPlatform.system;
in
{
  options.boot.loader.touchstone = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether `touchstone-install` installs this system's generations on the EFI system partition: with systemd-boot, unified kernel
        images (or kernel and initrd), and boot counting. It is one program, called without a script around it, and starts no other.

        Where NixOS has an option already, that one holds: {option}`boot.loader.timeout`,
        {option}`boot.loader.efi.efiSysMountPoint`, {option}`boot.loader.efi.canTouchEfiVariables`, and of
        {option}`boot.loader.systemd-boot` the options `xbootldrMountPoint`, `editor` (false by default, with this), `sortKey`,
        `configurationLimit`, `consoleMode` and `rebootForBitlocker`. Which systemd-boot is installed says
        {option}`boot.touchstone.measuredBoot.bootPath.loader`.
      '';
    };

    package = mkOption {
      type = types.package;
      default = cfg.packages.${variant} or (if native && !reaches then touchstone.package else
      throw ''
        boot.loader.touchstone.package: this nixpkgs has no package `${variant}` for the machine. Import `nixosModules.default` of
        Touchstone's flake, add its `overlays.default` to `nixpkgs.overlays`, or write
          boot.loader.touchstone.package = touchstone.packages.''${pkgs.stdenv.hostPlatform.system}.${variant};'');
      defaultText = literalExpression ''pkgs.touchstone or pkgs.touchstone-full # where the machine signs by a key in a token or TPM'';
      example = literalExpression "touchstone.packages.x86_64-linux.touchstone-full";
      description = ''
        The package with the program `touchstone-install`, for the machine. The static one does all but sign with keys in PKCS#11 tokens
        and TPMs, which the package `touchstone-full` is for.
      '';
    };

    packages = mkOption {
      type = types.raw;
      internal = true;
      default = pkgs;
      defaultText = literalExpression "pkgs";
      description = "The set with the packages `touchstone` and `touchstone-full` for the machine.";
    };

    settings = mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      description = "What the installer reads in the toplevel, `touchstone/install.json`.";
    };

    images = mkOption {
      type = types.enum [ "uki" "kernel" ];
      default = "uki";
      example = "kernel";
      description = ''
        What becomes of generations that are not sealed: a unified kernel image, assembled on the machine as
        {option}`boot.touchstone.uki` says (`"uki"`), or kernel and initrd as files of their own, named by an entry (`"kernel"`).
        Generations share kernels and initrds then, but nothing signs initrd and command line. Sealed generations bring their images along.
      '';
    };

    installLoader = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether systemd-boot itself is installed and kept at the configuration's release. If not, the boot loader is left alone.";
    };

    mirrors = mkOption {
      default = [ ];
      example = [{ esp = "/boot2"; }];
      description = ''
        More EFI system partitions, for machines that boot from several disks: each gets what
        {option}`boot.loader.efi.efiSysMountPoint` gets.
      '';
      type = types.listOf (types.submodule {
        options = {
          esp = mkOption {
            type = types.str;
            example = "/boot2";
            description = "Where the EFI system partition is mounted.";
          };
          xbootldr = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "/boot2-more";
            description = "Where the extended boot loader partition (XBOOTLDR) of the same disk is mounted, or null where there is none.";
          };
        };
      });
    };

    loaderConf = mkOption {
      type = types.attrsOf (types.oneOf [ types.bool types.int types.str ]);
      default = { };
      example = { auto-firmware = false; random-seed-mode = "always"; };
      description = ''
        More keys of systemd-boot's `loader.conf`. The keys `default` and `preferred` are the installer's, and `timeout`, `editor`,
        `console-mode` and `reboot-for-bitlocker` have options of NixOS' own.
      '';
    };

    extraFiles = mkOption {
      type = types.attrsOf types.path;
      default = config.boot.loader.systemd-boot.extraFiles or { };
      defaultText = literalExpression "config.boot.loader.systemd-boot.extraFiles";
      example = literalExpression ''{ "EFI/memtest86/memtest.efi" = pkgs.memtest86plus.efi; }'';
      description = ''
        More files on the partition, by their path there. They are not signed: under Secure Boot give signed programs. One that the installer
        has written, and that is no longer named, is removed if it is still as it was written.
      '';
    };

    extraEntries = mkOption {
      type = types.attrsOf types.lines;
      default = config.boot.loader.systemd-boot.extraEntries or { };
      defaultText = literalExpression "config.boot.loader.systemd-boot.extraEntries";
      example = literalExpression ''
        { "memtest86.conf" = '''
            title Memtest86+
            efi /EFI/memtest86/memtest.efi
            sort-key z_memtest
          '''; }
      '';
      description = "More entries of the boot menu (Type #1), by the name of their file in `loader/entries`.";
    };

    stateFile = mkOption {
      type = types.str;
      default = "/var/lib/touchstone/esp.json";
      example = "/persist/touchstone/esp.json";
      description = ''
        The file in which the installer remembers what it has verified on the partitions, so that it need not read all of them each time, and
        which extra files it wrote. Without it everything is read again, and extra files that are no longer named stay.
      '';
    };

    policy = mkOption {
      default = null;
      example = literalExpression ''{ pcrs = [ 7 11 ]; }'';
      description = ''
        The TPM policy that admits the generations that are kept, written before what needs it; null where there is none. It is made of
        predicted values ({option}`boot.touchstone.measuredBoot.enable`).
      '';
      type = types.nullOr (types.submodule {
        options = {
          output = mkOption {
            type = types.str;
            default = "/var/lib/touchstone/policy.json";
            example = "loader/touchstone-policy.json";
            description = "The file: an absolute path on the machine, or a path relative to each EFI system partition.";
          };
          pcrs = mkOption {
            type = types.listOf (types.ints.between 0 23);
            example = [ 7 11 ];
            description = "The registers that the policy binds, of those in {option}`boot.touchstone.measuredBoot.pcrs`.";
          };
          bank = mkOption {
            type = types.enum [ "sha1" "sha256" "sha384" "sha512" ];
            default = "sha256";
            example = "sha384";
            description = "The bank of the registers.";
          };
        };
      });
    };

    trustedPublicKeys = mkOption {
      type = types.listOf types.str;
      # As they are read from files.
      apply = map (lib.removeSuffix "\n");
      default = [ ];
      example = [ "fleet-1:pLk6ZC9FNtQYGFR1kZ2S3gKxTLTcQZ9gqS0Xs9gqz2I=" ];
      description = ''
        The keys of Nix by which a system must be signed for `touchstone-install boot` to activate it: every path of its closure. They are
        taken from the system that runs, never from the new one. Without a key, that command activates nothing.
      '';
    };

    sigsNeeded = mkOption {
      type = types.ints.positive;
      default = 1;
      example = 2;
      description = "By how many of {option}`boot.loader.touchstone.trustedPublicKeys` each path must be signed.";
    };
  };

  config = mkIf cfg.enable {
    assertions = import ./loader-assertions.nix { inherit config lib generation; };

    boot.loader.touchstone.settings = import ./install.nix { inherit lib generation; } config;

    # A boot menu's editor would change what is measured, and it is how to get at a shell of root.
    boot.loader.systemd-boot.editor = mkDefault false;
    environment.systemPackages = [ cfg.package ];
    boot.loader.grub.enable = mkDefault false;
    boot.loader.systemd-boot.enable = mkDefault false;
    # Else NixOS would take the secrets from the store when it builds the initrd.
    boot.loader.supportsInitrdSecrets = mkIf (cfg.images == "kernel") true;

    boot.bootspec.extensions = {
      # As NixOS' own installer of systemd-boot has it: a generation keeps the key that it was made with.
      "org.nixos.systemd-boot".sortKey = cfg.settings.sortKey;
      # Which files of the machine the initrd needs, for no program is started to find out.
      "org.nixos.initrd-secrets.v1" = mkIf (secrets != { }) (lib.mapAttrs' named secrets);
    };

    system = {
      boot.loader.id = "touchstone";
      build.installBootLoader = "${cfg.package}/bin/touchstone-install";
      systemBuilderCommands = ''
        mkdir -p "$out/touchstone"
        cp ${file} "$out/touchstone/install.json"
      '';
    };
  };
}
