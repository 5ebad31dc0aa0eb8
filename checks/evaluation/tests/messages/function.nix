with import ./prelude.nix;
touchstone.parse.storePath { path = name: fake name; }
