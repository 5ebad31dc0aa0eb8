with import ./prelude.nix;
let
  request = generation { kernelParams = [ "quiet" request.label ]; label = request.label; };
in
touchstone.bootspec request
