with import ./prelude.nix;
touchstone.bootspec (generation {
  extensions."org.example".odd = 1.0e308 * 10 - 1.0e308 * 10;
})
