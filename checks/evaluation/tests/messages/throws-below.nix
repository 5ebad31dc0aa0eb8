with import ./prelude.nix;
touchstone.bootspec (generation {
  specialisations.rescue = generation {
    kernelParams = [ "quiet" (throw "no console is configured") ];
  };
})
