# Sealed generations: a toplevel that brings its own boot artifacts along, so that installing it is copying.
#
# A unified kernel image names the toplevel that it boots, so the toplevel cannot contain it. The sealed generation is a wrapper of an
# inner toplevel, which is this configuration once more, evaluated without `sealed.enable`.
{ config, lib, pkgs, extendModules, ... }:

let
  inherit (lib) attrNames concatMapStringsSep filter literalExpression mkIf mkOption types;
  cfg = config.boot.touchstone;
  sealing = cfg.enable && cfg.sealed.enable;
  named = "boot.touchstone.sealed.enable";

  inner = extendModules { modules = [{ boot.touchstone.sealed = { enable = lib.mkOverride 0 false; inside = lib.mkOverride 0 true; }; }]; };

  generation = import ./generation.nix { inherit lib pkgs; inherit (cfg) package; };
  sealed = generation.sealedOf generation.artifactsOf cfg cfg.booted;

  # NixOS checks these where it makes the toplevel, which is the inner one: there, those about sealing are not part of the list. Its
  # warnings are shown there, too.
  failed = map (one: one.message) (filter (one: !one.assertion) config.assertions);
  checked = toplevel:
    if failed == [ ] then toplevel
    else throw "\nFailed assertions:\n${concatMapStringsSep "\n" (message: "- ${message}") failed}";

  settingsOf = name: generation.settingsOf cfg cfg.booted.specialisation.${name}.configuration;
  unsigned = filter (name: !generation.isSigned (settingsOf name)) (attrNames cfg.booted.specialisation);
in
{
  options.boot.touchstone = {
    sealed.enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether `system.build.toplevel` is a sealed generation: a wrapper of the system that holds the signed unified kernel images,
        `boot.json`, predictions and manifest as well, below `touchstone/`. A machine that receives it needs no key and builds nothing:
        installing is copying. Its specialisations are sealed with it, each by its own settings.

        The images are signed before or while it is built, so that {option}`boot.touchstone.signing.method` is `"detached"` or `"agent"` (or `"test"`).
        The command line of the kernel (`init=`) names the inner system, which `/run/booted-system` therefore is.

        The configuration is evaluated once more for the inner system.
      '';
    };

    sealed.inside = mkOption {
      type = types.bool;
      internal = true;
      default = false;
      description = "Whether this is the configuration of a system that lies in a sealed generation. Nothing that is built depends on it.";
    };

    booted = mkOption {
      type = types.raw;
      internal = true;
      default = if sealing then inner.config else config;
      defaultText = literalExpression "config";
      description = "The configuration whose toplevel is booted: this one, or the inner one of a sealed generation.";
    };
  };

  # NixOS declares the option, and defines it; the second declaration adds `apply` to the first.
  options.system.build.toplevel = mkOption {
    apply = toplevel: if sealing then checked sealed else toplevel;
  };

  config = mkIf sealing {
    assertions = [
      {
        assertion = cfg.uki.enable;
        message = ''
          ${named}: a sealed generation holds unified kernel images, and none are made. Write `boot.touchstone.uki.enable = true;`, or
          `${named} = false;`.'';
      }
      {
        assertion = config.boot.bootspec.enable;
        message = ''
          ${named}: a sealed generation is described by the boot.json of the system inside of it, and NixOS writes none. Write
          `boot.bootspec.enable = true;`, or `${named} = false;`.'';
      }
      {
        assertion = cfg.signing.method != "install";
        message = ''
          ${named}: the signing method is "install", but what is sealed cannot be signed on the machine any more. Write
          `boot.touchstone.signing.method = "agent";` or `"detached"`, or `${named} = false;`.'';
      }
      {
        assertion = cfg.signing.method != "none";
        message = ''
          ${named}: nobody signs the images (the signing method is "none"), and a sealed generation is not changed when it is installed. Write
          `boot.touchstone.signing.method = "detached";` with the signatures, or `${named} = false;`.'';
      }
      {
        assertion = !generation.isSigned cfg || unsigned == [ ];
        message = ''
          ${named}: nobody signs the images of ${concatMapStringsSep " and " (name: "specialisation.${name}") unsigned}, which would be sealed with
          this generation. Write `boot.touchstone.signing.method = "detached";` there, or do not enable Touchstone there, so that it is
          sealed by the settings of this configuration.'';
      }
    ];
  };
}
