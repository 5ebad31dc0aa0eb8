with import ./prelude.nix;
touchstone.bootspec { }
