# Checks for a flake's own `checks`: each is a derivation that builds when something holds, and fails saying what does not and what to
# do. docs/checks.md has what each proves, and an example.
#
#   perform   makes a derivation that performs an operation (./default.nix)
#   named     generations by name, as requests list them
{ perform, named }:

let
  inherit (builtins) isString map unsafeDiscardStringContext;

  closure = { "$attribute" = "closure"; };

  # The store paths whose closures a check looks at.
  rootsOf = check: toplevel: paths:
    let
      roots = map (path: "${path}") ((if toplevel == null then [ ] else [ toplevel ]) ++ paths);
    in
    if roots == [ ] then throw "touchstone: ${check} needs `toplevel` or `paths`" else roots;

  verify = name: artifacts: request: perform {
    inherit name;
    operation = "boot.verify";
    request = { artifacts = "${artifacts}"; required = true; } // request;
  };
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

  # artifactsVerify { artifacts, measure ? … }
  #   The folder of boot artifacts (mkBootArtifacts, mkSealedGeneration) is what its documents say: each named file by size and digest, each
  #   UKI's kernel, initrds, command line and os-release by its bootspec, the manifest by the toplevel; nothing else lies there. Every
  #   predicted value is predicted again, by the `measure` that `artifacts` was made with.
  artifactsVerify = { name ? "artifacts-verify", artifacts, measure ? artifacts.request.measure or null }:
    verify name artifacts {
      inherit measure;
      shim = artifacts.request.shim or null;
      deviceTree = artifacts.request.deviceTree or null;
    };

  # signaturesVerify { artifacts, db, dbx ? null, trustedKeys ? [ ], sigsNeeded ? null }
  #   Firmware with these variables (signature lists) would start every image of the boot artifacts, and with `trustedKeys` ("name:base64")
  #   at least `sigsNeeded` of them (1) signed every path of the manifest. All that artifactsVerify looks at without variables holds too.
  signaturesVerify = { name ? "signatures-verify", artifacts, db, dbx ? null, trustedKeys ? [ ], sigsNeeded ? null }:
    verify name artifacts { inherit db dbx trustedKeys sigsNeeded; };

  # espFits { artifacts, size, generations ? …, clusterSize ? …, sectorSize ? 512, reserve ? "1M", shared ? { } }
  #   So many generations, and the one that is written before the oldest goes, fit on a FAT32 partition of this size (bytes, or "512M").
  # `artifacts` lists boot artifacts, a generation each; those that are not named count as much as the largest. `shared` maps paths on
  # the partition to other files there.
  espFits = { name ? "esp-fits", artifacts, size, generations ? null, clusterSize ? null, sectorSize ? null, reserve ? null, shared ? { } }:
    perform {
      inherit name;
      operation = "boot.space";
      request = {
        artifacts = map (one: "${one}") artifacts;
        inherit size generations clusterSize sectorSize reserve shared;
        required = true;
      };
    };

  # bootspecValid { document ? null, artifacts ? null }
  #   A boot.json (or that of boot artifacts, or of a toplevel) follows the Bootspec specifications to the letter.
  bootspecValid = { name ? "bootspec-valid", document ? null, artifacts ? null }:
    perform {
      inherit name;
      operation = "bootspec.validate";
      request.files = [
        (if document != null then "${document}"
        else if artifacts != null then "${artifacts}/boot.json"
        else throw "touchstone: bootspecValid needs `document` or `artifacts`")
      ];
    };

  # noSecretsInStore { toplevel ? null, paths ? [ ], allow ? [ ], tpmBound ? false }
  #   No private key lies in the closure of these store paths; else the log names each by file, kind and fingerprint.
  # `allow` lists fingerprints, and patterns of paths such as "/nix/store/*-python3-*/lib/python3.*/test/**".
  noSecretsInStore = { name ? "no-secrets-in-store", toplevel ? null, paths ? [ ], allow ? [ ], tpmBound ? false }:
    perform {
      inherit name;
      operation = "closure.secrets";
      request = { inherit closure allow tpmBound; required = true; };
      closureOf = rootsOf "noSecretsInStore" toplevel paths;
    };

  # noInterpreters { toplevel ? null, paths ? [ ], allow ? [ ] }
  #   No interpreter lies in the closure of these store paths (shells, awk, Perl, Python, Ruby, Lua, JavaScript, Nix …), and no script;
  #   else the log names each file, and the chain of references that drags it in. docs/interpreters.md.
  # `allow` lists `{ path; reason; }`: a package or store path, or a pattern such as "/nix/store/*-bash-*", and why it may be there.
  noInterpreters = { name ? "no-interpreters", toplevel ? null, paths ? [ ], allow ? [ ] }:
    let
      roots = rootsOf "noInterpreters" toplevel paths;
      # What is allowed is not built for that.
      known = entry: entry // {
        path = unsafeDiscardStringContext (if isString entry.path then entry.path else "${entry.path}");
      };
    in
    perform {
      inherit name;
      operation = "closure.interpreters";
      request = { paths = roots; inherit closure; allow = map known allow; required = true; };
      closureOf = roots;
    };
}
