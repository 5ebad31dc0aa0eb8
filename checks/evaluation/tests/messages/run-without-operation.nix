with import ./prelude.nix;
touchstone.run (builtins.toJSON { path = fake "a"; })
