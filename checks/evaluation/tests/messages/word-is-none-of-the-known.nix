with import ./prelude.nix;
touchstone.parse.pe { file = ./stub.efi; banks = [ "md5" ]; }
