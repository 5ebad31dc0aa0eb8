with import ./prelude.nix;
touchstone.bootspec (generation {
  extensions."org.example".big = 1.0e308 * 10;
})
