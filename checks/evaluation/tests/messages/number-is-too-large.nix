with import ./prelude.nix;
touchstone.predictPcrs { uki = ./stub.efi; measure.pcrs = [ 9223372036854775807 ]; }
