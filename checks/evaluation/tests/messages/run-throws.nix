with import ./prelude.nix;
touchstone.run (throw "no request")
