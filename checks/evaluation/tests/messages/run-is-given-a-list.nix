with import ./prelude.nix;
touchstone.run "[]"
