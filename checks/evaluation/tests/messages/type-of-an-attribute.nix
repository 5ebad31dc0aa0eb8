with import ./prelude.nix;
touchstone.parse.storePath { path = 1; }
