# arguments: --show-trace
with import ./prelude.nix;
let
  # A configuration, far from the call.
  parameters = { console }: [ "quiet" "console=${console}" ];
in
touchstone.bootspec (generation {
  specialisations.rescue = generation { kernelParams = parameters { console = throw "no console is configured"; }; };
})
