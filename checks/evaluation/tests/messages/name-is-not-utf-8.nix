with import ./prelude.nix;
touchstone.bootspec (generation {
  extensions."org.example".${builtins.readFile ./latin1} = 1;
})
