with import ./prelude.nix;
touchstone.parse.pe { file = "/nix/store/nowhere\n  help: forged"; }
