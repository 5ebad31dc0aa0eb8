with import ./prelude.nix;
touchstone.run (builtins.readFile ./latin1.json)
