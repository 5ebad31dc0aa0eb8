with import ./prelude.nix;
touchstone.run (builtins.toJSON { operation = "keys.generate"; output = "/tmp/keys"; })
