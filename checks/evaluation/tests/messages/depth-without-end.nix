with import ./prelude.nix;
let self = { a = [ self ]; };
in touchstone.bootspec (generation { extensions."org.example" = self; })
