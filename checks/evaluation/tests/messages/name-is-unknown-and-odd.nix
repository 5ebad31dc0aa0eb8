with import ./prelude.nix;
touchstone.parse.storePath { path = fake "a"; "a.\"b\" c\n" = 1; }
