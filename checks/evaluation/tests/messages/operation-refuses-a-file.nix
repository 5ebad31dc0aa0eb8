with import ./prelude.nix;
touchstone.parse.pe { file = ./text; }
