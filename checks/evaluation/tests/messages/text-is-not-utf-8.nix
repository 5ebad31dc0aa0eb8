with import ./prelude.nix;
touchstone.bootspec (generation { label = builtins.readFile ./latin1; })
