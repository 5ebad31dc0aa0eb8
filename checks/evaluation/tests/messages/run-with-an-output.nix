with import ./prelude.nix;
touchstone.run (builtins.toJSON ({ operation = "bootspec.emit"; output = "/tmp/boot.json"; } // generation { }))
