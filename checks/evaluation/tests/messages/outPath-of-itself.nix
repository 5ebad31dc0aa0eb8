with import ./prelude.nix;
let self = { outPath = self; };
in touchstone.parse.pe { file = self; }
