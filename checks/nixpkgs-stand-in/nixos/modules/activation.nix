# How NixOS makes a toplevel: options with the types and defaults of nixpkgs, and its wiring in few words. From nixos/modules:
#   misc/assertions.nix                        08062fccc11d
#   system/build.nix                           14fd976016ae
#   system/activation/top-level.nix            01502f439c6a
#   system/activation/bootspec.nix             c0f4ea6b94dc
#   system/activation/specialisation.nix       9fedad35fe58
#   system/activation/no-clone.nix             0e27461fae8c
#   system/activation/activatable-system.nix   096caf5e4c70
#   system/activation/switchable-system.nix    0db57dc974ee
#   system/activation/pre-switch-check.nix     087f644ff9de; preSwitchChecksScript is that of later releases
{ config, lib, pkgs, extendModules, noUserModules, ... }:

let
  inherit (lib) concatStringsSep mapAttrs mapAttrsToList mkOption optionalString types;

  children = mapAttrs (_: child: child.configuration.system.build.toplevel) config.specialisation;

  failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
  checked = system: if failed == [ ] then system else throw "\nFailed assertions:\n${concatStringsSep "\n" (map (message: "- ${message}") failed)}";

  # It has what a real one depends on, and cannot be built.
  system = derivation {
    name = "nixos-system-${config.system.name}-${config.system.nixos.label}";
    system = pkgs.stdenv.buildPlatform.system;
    builder = "/not-a-real-shell";
    buildCommand = ''
      ${config.system.systemBuilderCommands}
      ${optionalString (!config.boot.isContainer && config.boot.bootspec.enable) config.boot.bootspec.writer}
    '';
    systemd = config.systemd.package;
    inherit (config.boot) kernelParams;
  };

  noClone = {
    specialisation = lib.mkOverride 0 { };
    isSpecialisation = lib.mkOverride 0 true;
  };

  build = {
    options.system.build = mkOption {
      default = { };
      type = types.submoduleWith {
        modules = [{ freeformType = with types; lazyAttrsOf (uniq unspecified); }];
      };
    };
  };
in
{
  imports = [ build ];

  options = {
    assertions = mkOption { type = types.listOf types.unspecified; internal = true; default = [ ]; };
    warnings = mkOption { type = types.listOf types.str; internal = true; default = [ ]; };

    system.build.toplevel = mkOption { type = types.package; readOnly = true; };
    # No option of NixOS: what the toplevel is made by, where it is to be built.
    standIn.toplevel = mkOption { type = types.raw; internal = true; default = system; };

    system.systemBuilderCommands = mkOption { type = types.lines; internal = true; default = ""; };
    system.name = mkOption { type = types.str; default = "unnamed"; };
    system.boot.loader = {
      kernelFile = mkOption { type = types.str; internal = true; default = pkgs.stdenv.hostPlatform.linux-kernel.target; };
      initrdFile = mkOption { type = types.str; internal = true; default = "initrd"; };
    };

    system.activatable = mkOption { type = types.bool; default = true; };
    system.switch.enable = mkOption { type = types.bool; default = true; };
    system.preSwitchChecksScript = mkOption {
      type = types.pathInStore;
      internal = true;
      readOnly = true;
      default = builtins.toFile "pre-switch-checks" "";
    };

    boot.bootspec = {
      enable = mkOption { type = types.bool; internal = true; default = true; };
      extensions = mkOption { type = types.attrsOf types.anything; default = { }; };
      writer = mkOption { internal = true; default = "write-v1 > $out/${config.boot.bootspec.filename}"; };
      filename = mkOption { internal = true; default = "boot.json"; };
    };

    isSpecialisation = mkOption { type = types.bool; internal = true; default = false; };
    specialisation = mkOption {
      default = { };
      type = types.attrsOf (types.submodule (local: {
        options.inheritParentConfig = mkOption { type = types.bool; default = true; };
        options.configuration = mkOption {
          default = { };
          visible = "shallow";
          inherit ((if local.config.inheritParentConfig then extendModules else noUserModules.extendModules) { modules = [ noClone ]; }) type;
        };
      }));
    };
  };

  config = {
    system.build.toplevel = checked config.standIn.toplevel;
    system.systemBuilderCommands = ''
      mkdir $out/specialisation
      ${concatStringsSep "\n" (mapAttrsToList (name: path: "ln -s ${path} $out/specialisation/${name}") children)}
    '';
  };
}
