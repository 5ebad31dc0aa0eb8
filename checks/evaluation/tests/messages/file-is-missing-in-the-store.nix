with import ./prelude.nix;
touchstone.parse.pe { file = "${./folder}/stub.efi"; }
