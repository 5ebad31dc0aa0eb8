with import ./prelude.nix;
touchstone.parse.pe { file = { path = ./stub.efi; }; }
