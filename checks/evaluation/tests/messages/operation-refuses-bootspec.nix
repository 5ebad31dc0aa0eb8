with import ./prelude.nix;
touchstone.bootspec (generation { kernel = "/boot/vmlinuz"; })
