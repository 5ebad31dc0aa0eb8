with import ./prelude.nix;
let nested = depth: if depth == 0 then 1 else { a = nested (depth - 1); };
in touchstone.bootspec (generation { extensions."org.example" = nested 200; })
