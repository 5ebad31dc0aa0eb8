with import ./prelude.nix;
touchstone.parse.storePath { path = null; }
