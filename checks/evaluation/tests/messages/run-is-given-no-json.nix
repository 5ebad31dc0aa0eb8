with import ./prelude.nix;
touchstone.run "{ operation: store.path }"
