with import ./prelude.nix;
touchstone.verify { file = ./stub.efi; certificates = ./stub.efi; }
