with import ./prelude.nix;
touchstone.parse.pe { file = ./nothing.efi; }
