with import ./prelude.nix;
touchstone.bootspec (generation { kernel = "${builtins.placeholder "out"}/bzImage"; })
