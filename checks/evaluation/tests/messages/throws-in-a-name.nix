with import ./prelude.nix;
touchstone.bootspec (generation {
  extensions.${throw "no name is configured"} = { };
})
