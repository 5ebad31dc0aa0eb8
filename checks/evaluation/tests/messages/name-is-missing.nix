with import ./prelude.nix;
touchstone.parse.storePath { }
