with import ./prelude.nix;
touchstone.parse.storePath { operation = "store.path"; path = fake "a"; }
