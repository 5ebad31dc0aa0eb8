# What the TPM will measure, computed when the generation is built.
{ config, lib, ... }:

let
  inherit (lib) concatMapStringsSep concatStringsSep filter intersectLists literalExpression mkIf mkOption optional optionals subtractLists types versionAtLeast;
  cfg = config.boot.touchstone;
  measured = cfg.measuredBoot;
  inherit (measured) pcrs bootPath secureBootVariables policy;
  named = name: "boot.touchstone.measuredBoot.${name}";
  list = concatMapStringsSep ", " toString;

  secret = import ./secret-name.nix { inherit lib; };
  nixos = import ../nix-plugin/lib/nixos.nix;

  # What a prediction needs that is not part of a configuration: a log of the machine, its disk, what runs on it.
  elsewhere = [ 0 1 2 3 5 6 15 ];
  predictable = [ 4 7 9 11 12 13 14 ];

  # Stubs of systemd 262 and newer hand the initrd a secret that they draw at each boot. Of another stub than NixOS' the release is
  # found out when the prediction is made.
  drawsSecret = cfg.uki.stub == nixos.stubOf config && versionAtLeast config.systemd.package.version "262";

  # Loaders of NixOS that start kernels in a way that is not predicted.
  otherLoaders = lib.remove "external" (import ./other-loaders.nix config);

  signatureList = name: description: mkOption {
    type = types.path;
    example = literalExpression "./${name}.esl";
    inherit description;
  };
in
{
  options.boot.touchstone.measuredBoot = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether the values that the TPM's registers (PCRs) will hold are computed when the generation is built, before any machine has
        booted it: `pcrs.json` among the boot artifacts. A value is exact, or the build is refused with the reason.

        The prediction is about a machine on which the firmware, or
        {option}`boot.touchstone.measuredBoot.bootPath`, starts the unified kernel image, with nothing added on the ESP.
      '';
    };

    pcrs = mkOption {
      type = types.listOf (types.ints.between 0 23);
      default = optionals (secureBootVariables != null) [ 4 7 ] ++ optional (!drawsSecret) 9 ++ [ 11 12 13 ];
      defaultText = literalExpression ''
        # 4 and 7 where the Secure Boot variables are given, and 9 where the stub is older than systemd 262
        [ 4 7 9 11 12 13 ]
      '';
      example = [ 7 11 ];
      description = ''
        The registers that are predicted, of 4, 7, 9, 11, 12, 13 and 14. Registers 4 and 7 depend on
        {option}`boot.touchstone.measuredBoot.secureBootVariables`. Register 9 holds the initrd, to which stubs of systemd 262 and newer add
        a secret that no prediction knows.
      '';
    };

    secureBootVariables = mkOption {
      default = null;
      example = literalExpression "{ PK = ./PK.esl; KEK = ./KEK.esl; db = ./db.esl; }";
      description = ''
        The contents of the firmware's Secure Boot variables on the machines, as signature lists; `touchstone keys generate` and
        `touchstone keys esl` make such files, and `efi-readvar` reads them from a machine. Null when they are unknown: then
        registers 4 and 7 are not predicted.
      '';
      type = types.nullOr (types.submodule {
        options = {
          PK = signatureList "PK" "The content of `PK`, the platform key.";
          KEK = signatureList "KEK" "The content of `KEK`, the keys that may change `db` and `dbx`.";
          db = signatureList "db" "The content of `db`: by which certificates and digests an image may start.";
          dbx = mkOption {
            type = types.nullOr types.path;
            default = null;
            example = literalExpression "./dbx.esl";
            description = "The content of `dbx`: what may not start. Null means that the variable is empty.";
          };
          enabled = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether the firmware enforces signatures. It measures the variables when it does not as well.";
          };
        };
      });
    };

    bootPath = mkOption {
      default = { };
      example = literalExpression "{ shim = ./shimx64.efi; }";
      description = "What runs between the firmware and the unified kernel image.";
      type = types.submodule {
        options = {
          shim = mkOption {
            type = types.nullOr types.path;
            default = null;
            example = literalExpression "./shimx64.efi";
            description = ''
              The shim that the firmware starts, signed as it will be installed. It becomes part of the boot artifacts as it is. Null where the
              firmware starts the boot loader, or the image, by its own keys.
            '';
          };
          loader = mkOption {
            type = types.nullOr types.path;
            default = nixos.loaderOf config;
            defaultText = literalExpression ''"''${config.systemd.package}/lib/systemd/boot/efi/systemd-bootx64.efi"'';
            example = null;
            description = ''
              The systemd-boot that starts the image. It becomes part of the boot artifacts, signed as the images are. Null where firmware or
              shim start the image without a boot loader.
            '';
          };
        };
      };
    };

    policy = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = ''
          Whether each unified kernel image brings signatures of its own register 11 along (`.pcrsig`), and the public half of their key
          (`.pcrpkey`). A secret that is sealed to that key opens for every image that the key has signed, so that it survives updates
          and rollbacks without being sealed anew. Seal it to register 7 as well: register 11 alone says nothing about Secure Boot.
        '';
      };

      key = mkOption {
        type = types.nullOr secret.type;
        default = null;
        example = "tpm2:handle=0x81010001";
        description = ''
          The name of the private RSA key that signs the policies, in the same way as {option}`boot.touchstone.signing.key`, and best another one.
          It is needed where the build signs, by the agent ({option}`boot.touchstone.signing.method` = `"agent"`, `agent:NAME`) or by the file of a
          test key (`"test"`), and where the machine signs (`"install"`).
        '';
      };

      publicKey = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = literalExpression "./pcr.pem";
        description = ''
          The public half of the key, or its certificate, which becomes `.pcrpkey`. With {option}`boot.touchstone.signing.method` = `"test"` it is
          the certificate that says that the key is a test key; with `"detached"` and `"agent"` it is all that the build has of the key.
        '';
      };

      signatures = mkOption {
        type = types.nullOr types.path;
        default = null;
        example = literalExpression "./policy-signatures";
        description = ''
          The folder with the signatures of register 11 for {option}`boot.touchstone.signing.method` = `"detached"`. `system.build.policyRequests` is
          what is to be signed, `touchstone boot sign --pcr-private-key` signs it. They become part of the images: make them before those of
          {option}`boot.touchstone.signing.signatures`.
        '';
      };
    };
  };

  config = mkIf cfg.enable {
    # Whoever edits the command line in the boot menu boots something else than what was predicted.
    boot.loader.systemd-boot.editor = mkIf measured.enable (lib.mkDefault false);

    assertions = lib.optionals measured.enable
      [
        {
          assertion = cfg.uki.enable;
          message = ''
            ${named "enable"}: what is predicted is the boot of a unified kernel image, and none are made. Write
            `boot.touchstone.uki.enable = true;`, or `${named "enable"} = false;`.'';
        }
        {
          assertion = subtractLists (predictable ++ elsewhere) pcrs == [ ];
          message = ''
            ${named "pcrs"}: nobody can predict ${list (subtractLists (predictable ++ elsewhere) pcrs)}. Write registers of
            [ ${concatStringsSep " " (map toString predictable)} ].'';
        }
        {
          assertion = intersectLists elsewhere pcrs == [ ];
          message = ''
            ${named "pcrs"}: ${list (intersectLists elsewhere pcrs)} cannot be predicted from a configuration alone, for it depends on the
            machine's own firmware, disk or identity. Leave it out, and predict it with `predictPcrs`, which takes a log of the machine.'';
        }
        {
          assertion = pcrs != [ ];
          message = ''
            ${named "pcrs"}: no register is to be predicted. Write `${named "enable"} = false;`, or registers of
            [ ${concatStringsSep " " (map toString predictable)} ].'';
        }
        {
          assertion = secureBootVariables != null || intersectLists [ 4 7 ] pcrs == [ ];
          message = ''
            ${named "secureBootVariables"}: ${list (intersectLists [ 4 7 ] pcrs)} of ${named "pcrs"} depend on the firmware's Secure Boot
            variables, and none are given. Write
            `${named "secureBootVariables"} = { PK = ./PK.esl; KEK = ./KEK.esl; db = ./db.esl; };`, or leave these registers out.'';
        }
        {
          assertion = secureBootVariables == null || !secureBootVariables.enabled || cfg.signing.certificate != null;
          message = ''
            ${named "secureBootVariables"}: the firmware enforces signatures, and nobody signs the images, so that it would not start them.
            Write `boot.touchstone.signing.certificate = ./db.pem;`, or `${named "secureBootVariables"}.enabled = false;`.'';
        }
        {
          assertion = !(builtins.elem 9 pcrs && drawsSecret);
          message = ''
            ${named "pcrs"}: the stub of systemd ${config.systemd.package.version} hands the initrd a secret that it draws at each boot, so that
            PCR 9 cannot be predicted. Leave 9 out, or write a stub of an older release into `boot.touchstone.uki.stub`.'';
        }
        {
          assertion = bootPath.loader == null || !config.boot.loader.systemd-boot.editor;
          message = ''
            boot.loader.systemd-boot.editor: the boot menu lets anybody at the keyboard change the kernel's command line, so that the
            machine would not boot what was predicted. Write `boot.loader.systemd-boot.editor = false;`.'';
        }
        {
          assertion = otherLoaders == [ ];
          message = ''
            ${named "bootPath"}: ${concatMapStringsSep ", " (name: "boot.loader.${name}") otherLoaders} installs kernel and initrd as files of
            their own (Type #1 entries, or a configuration of its own), and would not start the unified kernel image that is predicted. Write
            ${concatMapStringsSep " and " (name: "`boot.loader.${name}.enable = false;`") otherLoaders} and `boot.loader.touchstone.enable = true;`.'';
        }
      ]
    ++ secret.assertions (named "policy.key") "a string, such as \"tpm2:handle=0x81010001\" or \"/var/lib/touchstone/pcr.key\"" policy.key
    ++ lib.optionals policy.enable [
      {
        assertion = measured.enable;
        message = ''
          ${named "policy.enable"}: a policy is about measured boot, which is not enabled. Write `${named "enable"} = true;`.'';
      }
      {
        assertion = builtins.elem cfg.signing.method [ "agent" "test" "install" ] -> policy.key != null;
        message = ''
          ${named "policy.key"}: signatures of register 11 are asked for, and no key is named. Write
          `${named "policy.key"} = "tpm2:…";`, or the absolute path of a file outside of the store.'';
      }
      {
        assertion = cfg.signing.method != "none";
        message = ''
          ${named "policy.enable"}: nobody signs anything (the signing method is "none"), and register 11 neither. Write
          `boot.touchstone.signing.method = "detached";`, or `${named "policy.enable"} = false;`.'';
      }
      {
        assertion = cfg.signing.method == "detached" -> policy.publicKey != null && policy.signatures != null;
        message = ''
          ${named "policy"}: the signing method is "detached", and the public half of the policy's key, or the folder with its signatures, is not
          named. Write `${named "policy.publicKey"} = ./pcr.pem;` and `${named "policy.signatures"} = ./policy-signatures;`,
          build `system.build.policyRequests`, and fill the folder with `touchstone boot sign`.'';
      }
      {
        assertion = cfg.signing.method == "agent" -> policy.key == null || builtins.isPath policy.key || secret.isAgentsName policy.key && policy.publicKey != null;
        message = ''
          ${named "policy.key"}: the signing agent signs register 11 by a key of its own, and the build needs its public half. Write
          `${named "policy.key"} = "agent:pcr";` and `${named "policy.publicKey"} = ./pcr.pem;`.'';
      }
      {
        assertion = cfg.signing.method == "test" -> policy.publicKey != null;
        message = ''
          ${named "policy.publicKey"}: the build signs register 11 by a test key only, and nothing says that this is one. Write
          `${named "policy.publicKey"} = ./pcr.pem;`, the certificate that `touchstone keys generate --test` made.'';
      }
    ];
  };
}
