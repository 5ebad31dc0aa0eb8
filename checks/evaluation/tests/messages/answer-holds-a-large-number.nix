with import ./prelude.nix;
touchstone.parse.bootspec { file = ./large.json; }
