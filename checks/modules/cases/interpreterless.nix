# A system without interpreters: what is turned off, what stays possible, and the check of what is left.
{ lib, is, configOf, evaluates, files, installers, ... }:

let
  inherit (lib) mkForce;
  key = "fleet-1:${lib.concatStrings (lib.genList (_: "A") 43)}=";
  with' = module: { imports = [ module ]; boot.touchstone.interpreterless.enable = true; };
  appliance = {
    boot.loader.touchstone = { enable = true; trustedPublicKeys = [ key ]; };
    boot.loader.systemd-boot.bootCounting.enable = true;
  };
  detached = { method = "detached"; certificate = files."db.pem"; signatures = files."signatures"; };
  plain = configOf (with' { });
  nothing = configOf { };
in
{
  "initrd, /etc, users and the way between are no scripts" = is [ true true true true ]
    [ plain.boot.initrd.systemd.enable plain.system.etc.overlay.enable plain.services.userborn.enable plain.system.nixos-init.enable ];
  "nothing is activated or switched to, and there is no Nix" = is [ false false false ]
    [ plain.system.activatable plain.system.switch.enable plain.nix.enable ];
  "no shell is for users" = is [ false false ] [ plain.environment.shell.enable plain.programs.bash.enable ];
  "the profile's check by names gives way to the one by content" = is [ ] plain.system.forbiddenDependenciesRegexes;
  "the names that somebody forbids stay forbidden" = is [ "python" ]
    (configOf (with' { system.forbiddenDependenciesRegexes = [ "python" ]; })).system.forbiddenDependenciesRegexes;
  "each is a default" = is [ true false ]
    (
      let config = configOf (with' { systemd.sysusers.enable = true; services.userborn.enable = false; environment.shell.enable = true; }); in
      [ config.environment.shell.enable config.services.userborn.enable ]
    );
  "users by sysusers are as good" = is [ ]
    (lib.filter (lib.hasPrefix "boot.touchstone") (map (one: one.message) (lib.filter (one: !one.assertion)
      (configOf (with' { systemd.sysusers.enable = true; services.userborn.enable = false; })).assertions)));
  "off, all is as NixOS has it" = is [ false false true true ]
    [ nothing.boot.initrd.systemd.enable nothing.system.etc.overlay.enable nothing.system.activatable nothing.nix.enable ];
  "Touchstone off, it is off as well" = is true
    (configOf (with' { boot.touchstone.enable = mkForce false; })).system.activatable;
  "what is left is judged by content" = is [ "closure.interpreters" [ "${plain.system.build.toplevel}" ] [ ] ]
    (let inherit (plain.system.build.noInterpreters) request; in [ request.operation request.paths request.allow ]);
  "of a sealed generation, all of it" = is true
    (
      let sealed = configOf (with' { boot.touchstone = { signing = detached; sealed.enable = true; }; }); in
      sealed.system.build.noInterpreters.request.paths == [ "${sealed.system.build.toplevel}" ] && lib.hasSuffix "-sealed" sealed.system.build.toplevel.name
    );
  "what may stay is named, with the reason" = is [{ path = "${installers.touchstone}"; reason = "it updates"; } { path = "/nix/store/*-lua-*"; reason = "rules"; }]
    (configOf (with' {
      boot.touchstone.interpreterless.allow = [{ path = installers.touchstone; reason = "it updates"; } { path = "/nix/store/*-lua-*"; reason = "rules"; }];
    })).system.build.noInterpreters.request.allow;
  "any system can be judged" = is "closure.interpreters" nothing.system.build.noInterpreters.request.operation;
  "an appliance is valid" = is true (evaluates (configOf (with' appliance)).system.build.toplevel.drvPath);
  "and needs nothing but the installer to be updated" = is "${installers.touchstone}/bin/touchstone-install"
    (configOf (with' appliance)).system.build.installBootLoader;
} // lib.mapAttrs'
  (what: allow: lib.nameValuePair "refused: ${what}"
    (is false (evaluates (map (one: { path = "${one.path}"; inherit (one) reason; }) (configOf (with' { boot.touchstone.interpreterless = { inherit allow; }; })).boot.touchstone.interpreterless.allow))))
  {
    "an exception without a reason" = [{ path = installers.touchstone; }];
    "an exception with an empty reason" = [{ path = installers.touchstone; reason = " "; }];
    "an exception for a name" = [{ path = "bash"; reason = "it is there"; }];
  }
