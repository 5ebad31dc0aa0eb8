with import ./prelude.nix;
touchstone.bootspec (generation { lable = "a label"; })
