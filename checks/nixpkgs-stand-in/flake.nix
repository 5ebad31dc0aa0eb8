# A stand-in for nixpkgs, by which `nix flake check --no-build` and the README's example are evaluated offline. `lib` beside this file is
# a copy of nixpkgs' own, fetched when the test runs; the packages are placeholders that evaluate and cannot be built.
{
  outputs = { self }:
    let
      lib = import ./lib;
      pkgsFor = system: import ./packages.nix { inherit lib system; };
      forEachSystem = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ];
    in
    {
      lib = lib // {
        nixosSystem = { modules }: lib.evalModules {
          modules = [ ./nixos.nix { _module.args.pkgs = pkgsFor "x86_64-linux"; } ] ++ modules;
        };
      };
      legacyPackages = forEachSystem pkgsFor;
    };
}
