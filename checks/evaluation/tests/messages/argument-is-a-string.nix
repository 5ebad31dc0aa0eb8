with import ./prelude.nix;
touchstone.parse.storePath (fake "a")
