with import ./prelude.nix;
touchstone.run (builtins.toJSON { operation = "measure.predict"; uki = "/nowhere"; measure.pcrs = [ "x" ]; })
