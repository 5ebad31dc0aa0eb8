# A closure of the size of a NixOS system, input-addressed, of store paths with references and files of noise: for what is measured on whole stores.
#
#   probe   a package with bin/touchstone-probe
#   derivations, outputs   how many derivations, and outputs of each: a store path each
#   files, largest         about how many files in all, and the size of the largest of each path in bytes (in few paths some MiB)
{ probe, derivations ? 8, outputs ? 75, files ? 27000, largest ? 290000 }:

let
  inherit (builtins) elemAt genList listToAttrs;

  paths = derivations * outputs;
  # As in a system, few paths hold most of the files: the n-th largest has a share of 1 / (n + 5).
  shares = genList (place: 1.0 / (place + 5)) paths;
  sum = builtins.foldl' (sum: share: sum + share) 0.0 shares;
  nameOf = number: if number == 0 then "out" else "part${toString number}";

  make = number: inputs: derivation {
    name = "parts-${toString number}";
    system = "x86_64-linux";
    builder = "${probe}/bin/touchstone-probe";
    __structuredAttrs = true;
    mode = "parts";
    outputs = genList nameOf outputs;
    inherit inputs;
    parts = listToAttrs (genList
      (output:
        let place = output * derivations + number; in {
          name = nameOf output;
          value = {
            seed = place + 1;
            files = builtins.ceil (files * elemAt shares place / sum);
            largest = if builtins.bitAnd place 63 == 40 then 12000000 else largest;
            # The path that is a result refers to all others.
            uses =
              if output == 0 then genList (other: nameOf (other + 1)) (outputs - 1)
              else if output + 1 < outputs then [ (nameOf (output + 1)) ] else [ ];
          };
        })
      outputs);
  };
  chain = number: if number == 0 then make 0 [ ] else make number [ (chain (number - 1)) ];
in
chain (derivations - 1)
