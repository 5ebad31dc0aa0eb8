# Between stage 1 and stage 2, every path of the system must be what trusted keys have signed: the initrd verifies it before anything of the
# root file system runs.
{ config, lib, pkgs, utils, ... }:

let
  inherit (lib) attrValues concatMap literalExpression mapAttrsToList mkForce mkIf mkOption optional types unique;
  touchstone = config.boot.touchstone;
  cfg = config.boot.initrd.verify;
  inherit (config.boot.initrd) systemd;

  secret = import ./secret-name.nix { inherit lib; };
  generation = import ./generation.nix { inherit lib pkgs; inherit (touchstone) package; };

  shell = if cfg.onFailure == "shell" then "${pkgs.bashInteractive}/bin/bash" else null;
  init = "${systemd.package}/lib/systemd/systemd";
  units = import ./verify-units.nix { inherit (cfg) onFailure; inherit (cfg.manifest) measure; };

  # The credentials that the configuration's own units take from those that were handed to the initrd.
  taken = entry:
    let
      source = lib.last (lib.take 2 (lib.splitString ":" entry));
    in
    optional (builtins.match "[!-.0-9;-~]+" source != null) source;
  credentialsOf = service: concatMap (key: concatMap taken (lib.toList (service.serviceConfig.${key} or [ ]))) [ "LoadCredential" "LoadCredentialEncrypted" ];

  conf = import ./verify-conf.nix {
    keys = unique cfg.trustedPublicKeys;
    inherit (cfg) sigsNeeded onFailure;
    inherit (cfg.manifest) class;
    inherit init shell;
    manifest = if cfg.manifest.carrier == "sealed" then "root" else cfg.manifest.carrier;
    measure = if cfg.manifest.measure then 15 else null;
    credentials = unique (concatMap credentialsOf (attrValues systemd.services));
  };
in
{
  options.boot.initrd.verify = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the initrd verifies the system before it starts it: every store path that the system needs must be signed by keys that the
        initrd trusts, and be what was signed. Which system that is, and which keys these are, stands in the signed unified kernel
        image alone: no boot menu, no disk and no hypervisor can name another. It takes as long as reading the system takes.

        It covers the store. Where a machine keeps `/etc` on its disk, code can come from there:
        {option}`boot.initrd.verify.allowMutableEtc`. What else it does not cover says docs/stage1.md.
      '';
    };

    trustedPublicKeys = mkOption {
      type = types.listOf types.str;
      # As they are read from files.
      apply = map (lib.removeSuffix "\n");
      default = [ ];
      example = literalExpression "[ (builtins.readFile ./public-key-file) ]";
      description = "The public keys of Nix that the initrd trusts, as `nix-store --generate-binary-cache-key` writes them: a name, a colon and the key.";
    };

    sigsNeeded = mkOption {
      type = types.int;
      default = 1;
      example = 2;
      description = ''
        By how many different keys of {option}`boot.initrd.verify.trustedPublicKeys` each path must be signed. One key under two names is one key.
      '';
    };

    signing = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether the machine itself signs a generation when `touchstone-install` installs it: that one generation, after each of its paths
          was hashed again. Whoever gets hold of the machine while it runs gets hold of the key; prefer signatures of the builder.
        '';
      };

      keyFile = mkOption {
        type = types.nullOr secret.type;
        default = null;
        example = "/var/lib/touchstone/nix.key";
        description = ''
          The absolute path of the secret key of Nix by which the machine signs, outside of the Nix store; or `agent:NAME`, a key of the machine's
          signing agent. Its public half is one of {option}`boot.initrd.verify.trustedPublicKeys`.
        '';
      };
    };

    onFailure = mkOption {
      type = types.enum [ "halt" "reboot" "shell" ];
      default = "halt";
      example = "reboot";
      description = ''
        What becomes of a machine whose system is not what was signed, after it has said so: it halts, it starts again (with boot counting it
        then falls back to the generation before), or, for development alone, it shows a shell. Before the shell the registers
        of the TPM are extended, so that no sealed secret opens in it.
      '';
    };

    manifest = {
      carrier = mkOption {
        type = types.enum [ "image" "esp" "sealed" ];
        default = if generation.isSigned touchstone || touchstone.measuredBoot.enable then "sealed" else "image";
        defaultText = literalExpression ''"image" # "sealed" where the images are signed, or predicted, before they are installed'';
        example = "esp";
        description = ''
          Where the manifest lies, which says what each path must be and who signed it: in the unified kernel image (`"image"`, where
          `touchstone-install` assembles it), beside it on the EFI system partition (`"esp"`), or on the root file system (`"sealed"`, in
          `/nix/var/touchstone/manifests`). It needs no protection anywhere: every line of it is signed for itself.
        '';
      };

      class = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "kiosk";
        description = ''
          The class of machines that the manifest must be made for. It is signed as a whole then (`touchstone closure sign --class`, or in the build,
          {option}`boot.touchstone.signing.manifestKey`), so that a system that was signed for other machines is not started on this one.
        '';
      };

      measure = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether PCR 15 of the TPM is extended by what was verified, once it was, with an event in systemd's log of measurements.";
      };
    };

    allowMutableEtc = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the machine may keep `/etc` on its disk. Whoever writes to the disk can then have code started after the check, by a unit in
        `/etc/systemd` for example. Without it, `/etc` must be an immutable overlay ({option}`system.etc.overlay.mutable` = false), or the root
        file system a tmpfs.
      '';
    };
  };

  options.boot.touchstone.stage1.package = mkOption {
    type = types.package;
    default = config.boot.loader.touchstone.packages.touchstone-stage1 or (throw ''
      boot.touchstone.stage1.package: this nixpkgs has no package `touchstone-stage1` for the machine. Import `nixosModules.default` of
      Touchstone's flake, add its `overlays.default` to `nixpkgs.overlays`, or write
        boot.touchstone.stage1.package = touchstone.packages.''${pkgs.stdenv.hostPlatform.system}.touchstone-stage1;'');
    defaultText = literalExpression "pkgs.touchstone-stage1";
    example = literalExpression "touchstone.packages.x86_64-linux.touchstone-stage1";
    description = "The package with the program `touchstone-stage1`, for the machine: what the initrd starts, and verifies with.";
  };

  config = mkIf cfg.enable {
    assertions = import ./verify-assertions.nix { inherit config lib utils generation; };

    warnings = optional (touchstone.signing.method == "none") ''
      boot.initrd.verify.enable is true, and nobody signs the images (boot.touchstone.signing.method is "none"): who can write to the disk puts
      another image there, with other keys in it. Sign the images, and have the firmware enforce Secure Boot.'';

    # What would be resumed is an image of memory, which nobody signed. (Assembly adds what ends the command line.)
    boot.kernelParams = [ "noresume" ];

    boot.initrd.systemd = {
      contents = {
        "/init".source = mkForce "${touchstone.stage1.package}/bin/touchstone-stage1";
        "/etc/touchstone/stage1.conf".text = conf;
      };
      storePaths = [ init ] ++ optional (shell != null) shell;
      units = lib.mapAttrs (_: text: { inherit text; }) units.units;
      packages = mapAttrsToList (name: pkgs.writeTextDir "etc/systemd/system/${name}") (removeAttrs units.files (lib.attrNames units.units));
    };
  };
}
