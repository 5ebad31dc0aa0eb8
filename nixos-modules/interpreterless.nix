# A system that boots and is activated without Python, Perl, shell and Nix: what is on it cannot be told to do something else by a text. It
# is nixpkgs' own profile for this (`profiles/bashless.nix`) as an option, and an installer that needs none of them.
{ config, lib, pkgs, modulesPath, ... }@arguments:

let
  inherit (lib) concatMap concatMapStringsSep isFunction literalExpression mkDefault mkIf mkMerge mkOption types;
  touchstone = config.boot.touchstone;
  cfg = touchstone.interpreterless;
  named = name: "boot.touchstone.interpreterless.${name}";
  wanted = touchstone.enable && cfg.enable;

  functions = import ../nix-plugin/lib { touchstone = touchstone.package; system = pkgs.stdenv.buildPlatform.system; };

  # What the profile sets, and those that it imports. Its own check is by names alone and knows no exceptions: the one below takes its place.
  profile = "${modulesPath}/profiles/bashless.nix";
  isThere = builtins.pathExists profile;
  settingsOf = file:
    let
      module = import file;
      made = if isFunction module then module (builtins.intersectAttrs (builtins.functionArgs module) arguments) else module;
      settings = made.config or (removeAttrs made [ "imports" "_class" "_file" "key" "meta" ]);
      system = removeAttrs (settings.system or { }) [ "forbiddenDependenciesRegexes" ];
    in
    concatMap settingsOf (made.imports or [ ]) ++ [ (settings // { inherit system; }) ];

  otherLoaders = import ./other-loaders.nix config;
in
{
  options.boot.touchstone.interpreterless = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether this system boots, and is activated, without Python, Perl, shell and Nix: the initrd is systemd's, `/etc` is an overlay, users are
        made by userborn, nixos-init takes the place of the scripts between initrd and system, there are no activation scripts and no
        `switch-to-configuration`, and no Nix on the machine. The settings are those of nixpkgs' `profiles/bashless.nix`, each a default.

        Such a system is updated by `touchstone closure import` and `touchstone-install boot`, then a reboot. Options that NixOS does by
        activation scripts ({option}`system.activationScripts`) have no effect.

        What is left in the closure says {option}`system.build.noInterpreters`.
      '';
    };

    allow = mkOption {
      default = [ ];
      example = literalExpression ''[{ path = pkgs.lua; reason = "haproxy's health checks"; }]'';
      description = "Store paths that may hold interpreters, with the reason for each: {option}`system.build.noInterpreters` lets them pass.";
      type = types.listOf (types.submodule {
        options = {
          path = mkOption {
            type = types.either (types.strMatching "/nix/store/.+") types.package;
            example = literalExpression "pkgs.lua";
            description = "The package, or a pattern of store paths such as `/nix/store/*-lua-*`.";
          };
          reason = mkOption {
            type = types.strMatching ".*[^[:space:]].*";
            example = "haproxy's health checks";
            description = "Why it may be there.";
          };
        };
      });
    };
  };

  options.system.build.noInterpreters = mkOption {
    type = types.package;
    readOnly = true;
    description = ''
      A check ([checks.noInterpreters](checks.md)): it fails when a file of this system's closure is an interpreter or is started by one, judged by
      content, and says by which references it got there. It exists where {option}`boot.touchstone.enable` is true.
    '';
  };

  config = mkMerge ([
    {
      system.build = mkIf touchstone.enable {
        noInterpreters = functions.checks.noInterpreters {
          inherit (config.system.build) toplevel;
          inherit (cfg) allow;
        };
      };
    }
    (mkIf wanted {
      # Nothing is switched to, and so nothing has to be told how.
      system.switch.enable = mkDefault false;

      assertions = [
        {
          assertion = isThere;
          message = ''
            ${named "enable"}: this nixpkgs has no profile without shell (nixos/modules/profiles/bashless.nix), and starts systems by scripts. Take
            nixpkgs of 25.11 or newer, or write `${named "enable"} = false;`.'';
        }
        {
          assertion = config.boot.initrd.systemd.enable;
          message = ''
            ${named "enable"}: the initrd without systemd is a shell script. Write `boot.initrd.systemd.enable = true;`, or
            `${named "enable"} = false;`.'';
        }
        {
          assertion = config.system.etc.overlay.enable or false;
          message = ''
            ${named "enable"}: without an overlay, a Perl script makes /etc. Write `system.etc.overlay.enable = true;`, or
            `${named "enable"} = false;`.'';
        }
        {
          assertion = (config.services.userborn.enable or false) || (config.systemd.sysusers.enable or false);
          message = ''
            ${named "enable"}: a Perl script makes the users. Write `services.userborn.enable = true;` (or `systemd.sysusers.enable = true;`), or
            `${named "enable"} = false;`.'';
        }
        {
          assertion = !isThere || config.system.nixos-init.enable;
          message = ''
            ${named "enable"}: between initrd and system, NixOS starts shell scripts. Write `system.nixos-init.enable = true;`, or
            `${named "enable"} = false;`.'';
        }
        {
          assertion = !config.system.activatable;
          message = ''
            ${named "enable"}: the system brings a shell script along that activates it. Write `system.activatable = false;`, or
            `${named "enable"} = false;`.'';
        }
        {
          assertion = !config.nix.enable;
          message = ''
            ${named "enable"}: Nix is an interpreter, and is part of the system. Write `nix.enable = false;`, or `${named "enable"} = false;`;
            `touchstone closure import` brings systems onto the machine.'';
        }
        {
          assertion = otherLoaders == [ ] || config.boot.loader.touchstone.enable;
          message = ''
            ${named "enable"}: ${concatMapStringsSep " and " (name: "boot.loader.${name}") otherLoaders} is installed by a script. Write
            `boot.loader.touchstone.enable = true;`, or no boot loader at all.'';
        }
        {
          assertion = !config.boot.loader.touchstone.enable || config.boot.loader.touchstone.trustedPublicKeys != [ ];
          message = ''
            ${named "enable"}: the only way to another system is `touchstone-install boot`, which activates what is signed by keys that this one
            trusts, and it trusts none. Write `boot.loader.touchstone.trustedPublicKeys = [ (builtins.readFile ./fleet.pub) ];`.'';
        }
      ];
    })
  ] ++ lib.optionals isThere (map (mkIf wanted) (settingsOf profile)));
}
