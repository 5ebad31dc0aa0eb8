with import ./prelude.nix;
touchstone.parse.pe { file = "/nowhere/stub.efi"; }
