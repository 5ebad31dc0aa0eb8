with import ./prelude.nix;
let
  double = text: "${text}${text}";
  mebibyte = foldl' (text: _: double text) "0123456789abcdef" (builtins.genList (n: n) 16);
in
touchstone.bootspec (generation { kernelParams = builtins.genList (_: mebibyte) 65; })
