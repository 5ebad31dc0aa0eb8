# A stand-in for nixpkgs, by which `nix flake check --no-build`, the modules and the examples are evaluated offline. `lib` beside this file
# is a copy of nixpkgs' own, fetched when the test runs; `nixos` has the options that Touchstone touches; the packages are placeholders
# that evaluate and cannot be built.
{
  outputs = { self }:
    let
      lib = import ./lib;
    in
    {
      lib = lib // {
        nixosSystem = arguments: import ./nixos/lib/eval-config.nix ({ inherit lib; } // arguments);
      };
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: import ./packages.nix { inherit lib system; });
    };
}
