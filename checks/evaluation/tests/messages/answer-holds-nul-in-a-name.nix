with import ./prelude.nix;
touchstone.parse.bootspec { file = ./nul-name.json; }
