with import ./prelude.nix;
touchstone.parse.pe { file = "nowhere\nerror: forged"; }
