with import ./prelude.nix;
touchstone.bootspec (generation { output = "/tmp/boot.json"; })
