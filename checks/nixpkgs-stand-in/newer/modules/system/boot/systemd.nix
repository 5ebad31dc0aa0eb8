# What nixpkgs of 26.11 adds to the units that it links: a file that is read, and not a module of the stand-in.
{ cfg, optionals }:

[ "boot-complete.target" ] ++ optionals cfg.package.withBootloader [ "systemd-bless-boot.service" ]
