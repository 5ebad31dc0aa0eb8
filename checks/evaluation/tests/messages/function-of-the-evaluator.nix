with import ./prelude.nix;
touchstone.bootspec (generation { kernelParams = [ "quiet" builtins.toString ]; })
