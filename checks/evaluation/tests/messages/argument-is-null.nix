with import ./prelude.nix;
touchstone.predictPcrs null
