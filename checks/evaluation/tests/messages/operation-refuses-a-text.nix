with import ./prelude.nix;
touchstone.parse.storePath { path = "/nix/var/nix/profiles/system"; }
