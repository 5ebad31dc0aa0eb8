# Checks for a flake's own `checks`: each is a derivation that builds when something holds, and fails saying what does not and what to
# do. docs/checks.md has what each proves, and an example.
#
#   perform   makes a derivation that performs an operation (./default.nix)
#   named     generations by name, as requests list them
{ perform, named }:

let
  closure = { "$attribute" = "closure"; };
in
{
  # pcrsUnchanged { expected, actual ? null, generations ? null, pinned ? … }
  #   The PCR values are those of the file `expected`, such as ./pcrs.json of your repository; else the log says which component moved
  #   which PCR, and how the new values are accepted. docs/reference.md.
  # `actual` is a prediction (predictPcrs) or a document; or give `generations`, as referenceDocument takes them, of which a document with
  # measurements is made. `pinned` is what the file is called in the advice: its own name.
  pcrsUnchanged = { name ? "pcrs-unchanged", expected, actual ? null, generations ? null, pinned ? baseNameOf (toString expected) }:
    perform {
      inherit name;
      operation = "measure.compare";
      request = {
        inherit expected pinned;
        actual =
          if (actual == null) == (generations == null) then
            throw "touchstone: pcrsUnchanged needs either `actual` or `generations`"
          else if generations == null then actual
          else
            perform {
              name = "reference.json";
              operation = "reference.create";
              request = { generations = named generations; measurements = true; };
            };
        required = true;
      };
    };

  # noSecretsInStore { toplevel ? null, paths ? [ ], allow ? [ ], tpmBound ? false }
  #   No private key lies in the closure of these store paths; else the log names each by file, kind and fingerprint.
  # `allow` lists fingerprints, and patterns of paths such as "/nix/store/*-python3-*/lib/python3.*/test/**".
  noSecretsInStore = { name ? "no-secrets-in-store", toplevel ? null, paths ? [ ], allow ? [ ], tpmBound ? false }:
    let
      roots = map (path: "${path}") ((if toplevel == null then [ ] else [ toplevel ]) ++ paths);
    in
    perform {
      inherit name;
      operation = "closure.secrets";
      request = { inherit closure allow tpmBound; required = true; };
      closureOf =
        if roots == [ ] then throw "touchstone: noSecretsInStore needs `toplevel` or `paths`" else roots;
    };
}
