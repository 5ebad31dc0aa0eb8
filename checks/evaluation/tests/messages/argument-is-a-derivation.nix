with import ./prelude.nix;
touchstone.parse.storePath (unbuilt { })
