with import ./prelude.nix;
touchstone.predictPcrs { uki = ./stub.efi; entries = [{ uki = ./stub.efi; }]; }
