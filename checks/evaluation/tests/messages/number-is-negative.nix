with import ./prelude.nix;
touchstone.predictPcrs { uki = ./stub.efi; measure.pcrs = [ (-1) ]; }
