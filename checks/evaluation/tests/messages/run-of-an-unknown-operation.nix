with import ./prelude.nix;
touchstone.run (builtins.toJSON { operation = "store.paths"; path = fake "a"; })
