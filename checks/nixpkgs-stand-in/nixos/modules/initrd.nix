# Systemd in the initrd: options with the types and defaults of nixpkgs. From nixos:
#   modules/system/boot/systemd/initrd.nix   00e6b22b508f; of its services, two options, and the names of those that touch the root
#   modules/system/etc/etc-activation.nix    0a1ac06e40e7; of its services the names; which there are with nixos-init is of later releases
#   modules/system/boot/systemd/tpm2.nix     517dd30cf792
#   modules/tasks/filesystems.nix            0148e16d1446 (managerEnvironment.SYSTEMD_SYSROOT_FSTAB)
#   lib/systemd-types.nix                    of the same releases (contents, units)
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  sets = submodule: option (types.attrsOf (types.submodule submodule)) { };
  cfg = config.boot.initrd.systemd;

  inherit (config.system) nixos-init;
  inherit (config.system.etc) overlay;
  oneshot = lib.genAttrs (
    [ "initrd-switch-root" ]
    ++ lib.optionals (!nixos-init.enable) [ "initrd-find-nixos-closure" "initrd-nixos-activation" ]
    ++ lib.optional overlay.enable "initrd-find-etc"
    ++ lib.optional (overlay.enable && overlay.mutable) "rw-etc"
  );
in
{
  options.boot.initrd.systemd = {
    enable = option types.bool false;
    package = option types.package config.systemd.package;
    tpm2.enable = option types.bool true;
    emergencyAccess = option (types.oneOf [ types.bool (types.nullOr types.str) ]) false;
    managerEnvironment = option (types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package ]))) { };

    contents = sets {
      options = {
        enable = option types.bool true;
        text = option (types.nullOr types.lines) null;
        source = mkOption { type = types.path; };
      };
    };
    storePaths = option (types.listOf (types.oneOf [ types.singleLineStr types.package ])) [ ];
    packages = option (types.listOf types.package) [ ];
    units = sets {
      options = {
        enable = option types.bool true;
        text = option (types.nullOr types.str) null;
      };
    };
    services = sets {
      options = {
        requiredBy = option (types.listOf types.str) [ ];
        serviceConfig = option (types.attrsOf types.anything) { };
      };
    };
  };

  config = lib.mkIf (config.boot.initrd.enable && cfg.enable) {
    boot.kernelParams = [ "root=fstab" ];
    boot.initrd.systemd = {
      contents."/init".source = "${cfg.package}/lib/systemd/systemd";
      services = oneshot (_: { serviceConfig.Type = "oneshot"; });
      managerEnvironment.SYSTEMD_SYSROOT_FSTAB = pkgs.writeText "initrd-fstab" "";
    };
  };
}
