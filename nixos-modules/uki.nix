# The unified kernel images of the generation and its specialisations.
{ config, lib, ... }:

let
  inherit (lib) attrNames concatMapStringsSep concatStringsSep filter literalExpression mkIf mkOption types;
  cfg = config.boot.touchstone;
  named = name: "boot.touchstone.uki.${name}";

  nixos = import ../nix-plugin/lib/nixos.nix;

  # What a stub or a unified kernel image has of its own; docs/uki.md says what each is.
  reserved = [ ".text" ".rodata" ".data" ".reloc" ".sdmagic" ]
    ++ [ ".profile" ".osrel" ".cmdline" ".dtb" ".dtbauto" ".hwids" ".uname" ".splash" ".pcrpkey" ".linux" ".initrd" ".efifw" ".ucode" ".sbat" ".pcrsig" ];
  isSectionName = name: builtins.match "\\.[A-Za-z0-9_-]{1,7}" name != null;
  isProfileId = id: builtins.match "[A-Za-z0-9._-]{1,64}" id != null && id != "main";
  isTitle = title: builtins.match "[^\"'$`\\[:cntrl:]]+" title != null;
  quoted = concatMapStringsSep ", " (name: "\"${name}\"");

  sections = attrNames cfg.uki.extraSections;
  malformed = filter (name: !isSectionName name) sections;
  taken = filter (name: builtins.elem name reserved) sections;
  undecided = filter
    (name:
      let section = cfg.uki.extraSections.${name};
      in (section.text == null) == (section.source == null))
    sections;

  profiles = attrNames cfg.uki.profiles;
  misnamed = filter (id: !isProfileId id) profiles;
  mistitled = filter (id: !isTitle cfg.uki.profiles.${id}.title) profiles;
  ambiguous = filter (id: config.specialisation ? ${id}) profiles;
in
{
  options.boot.touchstone.uki = {
    enable = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether unified kernel images are made: one PE file that holds kernel, initrd, command line and os-release, so that one
        signature covers all of them. Without them there are no boot artifacts, and only
        {option}`boot.touchstone.bootspec.v2.enable` has an effect.
      '';
    };

    stub = mkOption {
      type = types.path;
      default = nixos.stubOf config;
      defaultText = literalExpression ''"''${config.systemd.package}/lib/systemd/boot/efi/linuxx64.efi.stub"'';
      example = literalExpression ''"''${pkgs.systemdUkify}/lib/systemd/boot/efi/linuxx64.efi.stub"'';
      description = ''
        The systemd stub that the firmware or the boot loader starts, and which starts the kernel. It is unsigned, for the whole image is
        signed. What is measured into the TPM depends on its release; predictions know those of systemd 252, 257 and 262.
      '';
    };

    shareSpecialisations = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether a specialisation that differs from the generation in kernel parameters alone becomes a profile of the generation's image, in
        the place of an image of its own: with many specialisations that saves most of the space on the ESP. It needs a stub of
        systemd 257 or newer, and does not go together with {option}`boot.touchstone.sealed.enable`, where each specialisation brings its own
        image.
      '';
    };

    splash = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = literalExpression "./logo.bmp";
      description = "A picture (BMP) that the stub shows while the machine starts. It is part of what is signed and measured.";
    };

    extraSections = mkOption {
      default = { };
      example = literalExpression ''{ ".fleet".text = "rack 4"; ".notes".source = ./notes.txt; }'';
      description = ''
        More sections of the images, by name: a dot, then one to seven letters, digits, dashes or underscores. They are part of what is
        signed; the stub does not read, and does not measure them. The names of sections that stubs and unified kernel images have of their
        own are refused.
      '';
      type = types.attrsOf (types.submodule {
        options = {
          text = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "rack 4";
            description = "The content as a text. Exactly one of `text` and `source` is given.";
          };
          source = mkOption {
            type = types.nullOr types.path;
            default = null;
            example = literalExpression "./notes.txt";
            description = "The file that is the content. Exactly one of `text` and `source` is given.";
          };
        };
      });
    };

    profiles = mkOption {
      default = { };
      example = literalExpression ''
        {
          debug = { title = "Debug"; kernelParams = [ "systemd.log_level=debug" ]; };
          factory-reset = { title = "Factory reset"; kernelParams = [ "systemd.factory_reset=1" ]; };
        }
      '';
      description = ''
        More ways to start the same image, by ID: each is an entry of its own in the boot menu, with more kernel parameters, and takes
        kernel and initrd from the image. So it costs a few hundred bytes on the ESP, where a specialisation costs an image. systemd-boot
        shows profiles from release 257 on. Every profile is part of what is signed, and is predicted. Specialisations
        have them as well.
      '';
      type = types.attrsOf (types.submodule ({ name, ... }: {
        options = {
          title = mkOption {
            type = types.str;
            default = name;
            defaultText = literalExpression "name";
            example = "Factory reset";
            description = "What the boot menu shows.";
          };
          kernelParams = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "systemd.factory_reset=1" ];
            description = "Kernel parameters behind those of the generation ({option}`boot.kernelParams`).";
          };
        };
      }));
    };
  };

  config = mkIf (cfg.enable && cfg.uki.enable) {
    assertions = [
      {
        assertion = nixos.initrdSecretsOf config == [ ];
        message = ''
          ${named "enable"}: the secrets of ${concatStringsSep " and " (nixos.initrdSecretsOf config)} would be appended to the initrd when the boot
          loader is installed, but a unified kernel image is signed as a whole before that. Take them out and hand them over as systemd
          credentials, or write `${named "enable"} = false;`.'';
      }
      {
        assertion = !cfg.uki.shareSpecialisations || !cfg.sealed.enable;
        message = ''
          ${named "shareSpecialisations"}: a sealed specialisation brings an image of its own along, and shares none. Write
          `${named "shareSpecialisations"} = false;`, or `boot.touchstone.sealed.enable = false;`.'';
      }
      {
        assertion = malformed == [ ];
        message = ''
          ${named "extraSections"}: ${quoted malformed} cannot name a section. Write a dot, then one to seven letters, digits, dashes or
          underscores, such as ".fleet".'';
      }
      {
        assertion = taken == [ ];
        message = ''
          ${named "extraSections"}: ${quoted taken} is a section that the stub or the image has of its own. Write another name, such as
          ".fleet"; kernel parameters, splash and the like have options of their own.'';
      }
      {
        assertion = undecided == [ ];
        message = ''
          ${named "extraSections"}: ${quoted undecided} needs exactly one of `text` and `source`. Write, for example,
          `${named "extraSections"}.".fleet".text = "rack 4";`.'';
      }
      {
        assertion = misnamed == [ ];
        message = ''
          ${named "profiles"}: ${quoted misnamed} cannot be the ID of a profile. Write up to 64 letters, digits, dots, dashes and
          underscores, and not "main", which is the image's own.'';
      }
      {
        assertion = mistitled == [ ];
        message = ''
          ${named "profiles"}: the title of ${quoted mistitled} is empty, or has quotes, a dollar sign, a backslash or a backtick, which
          os-release files cannot hold without quoting. Write it without.'';
      }
      {
        assertion = ambiguous == [ ];
        message = ''
          ${named "profiles"}: ${quoted ambiguous} is also the name of a specialisation, and a boot menu would show both. Give one of them
          another name, or write only ${concatStringsSep ", " (map (id: "specialisation.${id}") ambiguous)}.'';
      }
    ];
  };
}
