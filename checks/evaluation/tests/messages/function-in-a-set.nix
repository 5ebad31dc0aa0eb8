with import ./prelude.nix;
touchstone.bootspec (generation {
  extensions."org.example".deep = [{ functor = { __functor = self: x: x; }; }];
})
