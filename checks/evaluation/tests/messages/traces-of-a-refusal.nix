# arguments: --show-trace
with import ./prelude.nix;
let describe = label: touchstone.bootspec (generation { inherit label; });
in { a.b = describe 1; }
