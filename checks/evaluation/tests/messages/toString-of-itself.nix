with import ./prelude.nix;
touchstone.parse.pe { file = { __toString = self: self; }; }
