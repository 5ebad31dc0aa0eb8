with import ./prelude.nix;
touchstone.parse.storePath { path = { }.path; }
