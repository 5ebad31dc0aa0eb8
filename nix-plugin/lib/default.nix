# Touchstone's Nix functions: each returns a derivation whose builder is the static `touchstone` binary itself, so that no shell and
# no other program runs in the build. Made of builtins alone: nixpkgs is not needed.
#
#   touchstone   a store path (or package) with bin/touchstone, statically linked
#   system       where the builds run, such as "x86_64-linux"
#
# Every function takes one attribute set. An attribute that is null is as good as absent; a wrong or unknown attribute is refused by
# the operation (`touchstone schema OPERATION` lists them). Private keys are *strings* naming an absolute path outside of the store,
# for a path value would copy the key into it; or `agent:NAME`, a key that the signing agent of the machine that builds has by that name
# (docs/agent.md): then the derivation requires the system feature `touchstone-agent`.
{ touchstone, system }:

let
  inherit (builtins) any attrNames filter isPath isString listToAttrs map mapAttrs removeAttrs stringLength substring unsafeDiscardStringContext;

  withoutNulls = attrs:
    listToAttrs (map (name: { inherit name; value = attrs.${name}; })
      (filter (name: attrs.${name} != null) (attrNames attrs)));

  output = { "$output" = "out"; };
  closure = { "$attribute" = "closure"; };

  # The names of keys in a request, wherever an operation takes one of the signing agent.
  keysOf = request:
    let
      signers = [ (request.sign or null) ] ++ (if (request.pcrSign or null) == null then [ ] else request.pcrSign.keys);
    in
    map (signer: signer.key or null) signers ++ map (field: request.${field} or null) [ "manifestKey" "key" ];
  isAgents = key: isString key && substring 0 6 key == "agent:";

  # Nix gives a socket of the signing agent to builds that require this, and to no other.
  featuresFor = request: if any isAgents (keysOf request) then { requiredSystemFeatures = [ "touchstone-agent" ]; } else { };

  built = { request, ... }@attributes: derivation (attributes // {
    inherit system;
    builder = "${touchstone}/bin/touchstone";
    args = [ "builder" ];
    __structuredAttrs = true;
  } // featuresFor request);

  # A derivation that performs `operation`, which writes a file or a folder. With `closureOf`, the whole closure of that path (or of
  # several), with its NAR hashes, reaches the request as the attribute `closure`.
  perform = { operation, name, request, closureOf ? null }:
    built ({
      inherit name;
      request = withoutNulls request // { inherit operation output; };
    } // (if closureOf == null then { } else {
      exportReferencesGraph.closure = if builtins.isList closureOf then closureOf else [ closureOf ];
    }));

  # A derivation whose output is what `operation` answers.
  answer = { operation, request }: built {
    name = "${operation}.json";
    request = withoutNulls request // { inherit operation; };
    answer = output;
  };

  keyString = what: key:
    if isPath key then
      throw "touchstone: ${what} is a Nix path, which would copy the secret into the store; write it as a string"
    else if !(isString key) then
      throw "touchstone: ${what} must be a string: an absolute path outside of the store, or the name of a key of the signing agent"
    else if substring 0 (builtins.stringLength builtins.storeDir) key == builtins.storeDir then
      throw "touchstone: ${what} lies in the store, which everybody can read; keep the secret outside of it"
    else
      key;

  signing = sign:
    if sign == null then null
    else sign // { key = keyString "sign.key" sign.key; } // (if (sign.passphraseFile or null) == null then { } else {
      passphraseFile = keyString "sign.passphraseFile" sign.passphraseFile;
    });

  # The same for `attribute` of a function that signs what is not there in full: the agent is not asked for that. `instead` says what to write.
  signingInPart = function: attribute: instead: sign:
    if isAgents (sign.key or null) then
      throw "touchstone: ${function}: ${attribute}.key is a key of the signing agent (${sign.key}), which signs only what it is shown in full. ${instead}"
    else signing sign;

  # One with `signatures` (a folder of `touchstone boot sign`) has no key.
  pcrSigner = key: if key ? signatures then key else signing key;

  # `keys` of `pcrSign`, each as `signing` has them.
  pcrSigning = pcrSign:
    if pcrSign == null then null else pcrSign // { keys = map pcrSigner pcrSign.keys; };

  # What `boot.artifacts` is asked for, beside its output.
  artifacts = { bootspec, sign ? null, pcrSign ? null, manifestKey ? null, ... }@generation: generation // {
    bootspec = { inherit system; } // bootspec;
    sign = signing sign;
    pcrSign = pcrSigning pcrSign;
    manifestKey = if manifestKey == null then null else keyString "manifestKey" manifestKey;
    inherit closure;
  };

  # The name of a store path (or package).
  nameOf = path:
    let base = baseNameOf (unsafeDiscardStringContext "${path}");
    in path.name or (substring 33 (stringLength base) base);

  # What `measure.predict` is asked for.
  predicted = { artifacts ? null, specialisations ? [ ], ... }@request:
    (if artifacts == null then { } else {
      loader = "${artifacts}/loader.efi";
      entries = [{ name = "the generation"; uki = "${artifacts}/uki.efi"; }]
      ++ map (inner: { name = "specialisation ${inner}"; uki = "${artifacts}/specialisation/${inner}/uki.efi"; }) specialisations;
    }) // removeAttrs request [ "artifacts" "specialisations" ];

  # Generations by name, as requests list them.
  named = generations: map (name: { inherit name; prediction = "${generations.${name}}"; }) (attrNames generations);

in
{
  # mkBootspec { toplevel, init, initrds, kernel, kernelParams, label, system ? …, specialisations ? { }, extensions ? { }, … }
  #   → the file boot.json, Bootspec v2 beside v1.
  # The fields are those of `org.nixos.bootspec.v2`; `specialisations` maps names to the same fields.
  mkBootspec = { name ? "boot.json", ... }@generation:
    perform {
      inherit name;
      operation = "bootspec.emit";
      request = { inherit system; } // removeAttrs generation [ "name" ];
    };

  # mkUki { stub, linux ? null, initrds ? [ ], cmdline ? null, osRelease ? null, …, sign ? null }
  #   → a unified kernel image, an addon (without linux) or a profile (with `profile`, without `joinProfiles`): a file.
  # Texts are strings or { file = path; }. `sign = { key = "/absolute/path"; certificate = ./db.pem; }`.
  # More parts: uname, sbat = [ text ], splash, ucode, dtb, dtbauto = [ path ], hwids (a folder), efifw = [ { id = "…"; file = path; } ],
  # pcrpkey, pcrsig (a text), profile (a text), joinProfiles = [ (mkUki { profile = "ID=…"; … }) ], sections = [ { name; content; } ],
  # verify = { manifest ? null; } (docs/boot-artifacts.md, the extra initrd).
  # pcrSign = { keys = [ { key = "/absolute/path"; publicKey = ./test-certificate.pem; phases ? …; } ]; banks ? [ "sha256" ]; } makes `.pcrsig`.
  # compat (257 or 262). docs/uki.md says what each is and in which order the sections stand.
  mkUki = { name ? "uki.efi", sign ? null, pcrSign ? null, ... }@parts:
    perform {
      inherit name;
      operation = "uki.assemble";
      request = removeAttrs parts [ "name" ] // { sign = signing sign; pcrSign = pcrSigning pcrSign; };
    };

  # signPe { file, sign ? null, detached ? null, replace ? false, checksum ? false }
  #   → the image with a signature (a file): by a key, `sign`, or one that was made elsewhere, `detached = { certificate; signedData;
  #   signature; }`, which needs no key here. `replace` removes the signatures that the image has.
  signPe = { name ? "signed.efi", file, sign ? null, detached ? null, replace ? null, checksum ? null }:
    perform {
      inherit name;
      operation = "pe.sign";
      request = { inherit file detached replace checksum; sign = signing sign; };
    };

  # preparePe { file, certificate, digest ? "sha256" } → what is to be signed elsewhere for `signPe`'s `detached` (a file).
  preparePe = { name ? "signed-data", file, certificate, digest ? null }:
    perform {
      inherit name;
      operation = "pe.prepare";
      request = { inherit file certificate digest; };
    };

  # unsignPe { file, signature ? null } → the image without its signatures, or without the one of that number (a file).
  unsignPe = { name ? "unsigned.efi", file, signature ? null, checksum ? null }:
    perform {
      inherit name;
      operation = "pe.unsign";
      request = { inherit file signature checksum; };
    };

  # predictPcrs { loader ? null, uki ? null, entries ? [ ], shared ? { }, measure = { secureBoot = { PK, KEK, db }; pcrs ? …, banks ? …, phases ? …; } }
  #   → a JSON file: { leaves = [ { path, pcrs, measurements } ]; assumptions }.
  # Of one UKI, `uki`, or of all that the boot menu offers: `entries = [ { name; uki; extra = { "NAME on the ESP" = file; }; } ]`, and
  # `{ name; linux = { kernel; initrds = [ { path; file; } ]; options; }; }`. `shared` are files below loader/ on the ESP.
  # Of a whole generation: `artifacts` (made by mkBootArtifacts) and the names of its `specialisations`, which become the entries.
  predictPcrs = { name ? "pcrs.json", ... }@request:
    perform {
      inherit name;
      operation = "measure.predict";
      request = predicted (removeAttrs request [ "name" ]);
    };

  # referenceDocument { generations, pcrs ? …, banks ? …, format ? "touchstone", measurements ? false, mixtures ? false, split ? false }
  #   → what all kept generations will measure, as one document for verifiers (a file; with `split` a folder). docs/reference.md.
  # `generations` maps names to predictions (predictPcrs) or to whole boot artifacts (mkBootArtifacts with `measure`), whose
  # specialisations are then part of the document. `format` is "touchstone", "keylime" or "keylime-verifier".
  referenceDocument = { name ? "reference.json", generations, ... }@request:
    perform {
      inherit name;
      operation = "reference.create";
      request = removeAttrs request [ "name" ] // { generations = named generations; };
    };

  # pcrlockFiles { generations } → a folder with component files of systemd-pcrlock, for /var/lib/pcrlock.d. docs/pcrlock.md.
  pcrlockFiles = { name ? "pcrlock.d", generations }:
    perform {
      inherit name;
      operation = "pcrlock.create";
      request = { generations = named generations; };
    };

  # Values while Nix evaluates, by the plugin or by builds, and derivations of the same answers: `values` and `answers` (./values.nix).
  inherit (import ./values.nix {
    inherit answer predicted system;
    inherit ((builtins.fromTOML (builtins.readFile ../../Cargo.toml)).workspace.package) version;
    contract = substring 0 64 (builtins.readFile ./contract);
  }) answers values;

  # Checks for a flake's own `checks` (./checks.nix).
  checks = import ./checks.nix { inherit perform named; };

  # mkPolicy { variants = [ { name; prediction = predictPcrs …; } ]; running.variant = …; withoutRunning ? false; pcrs ? …, bank ? … }
  #   → policy.json: one TPM policy that admits exactly these predictions, each with its path of PolicyORs. docs/policies.md.
  mkPolicy = { name ? "policy.json", ... }@request:
    perform {
      inherit name;
      operation = "policy.create";
      request = removeAttrs request [ "name" ];
    };

  # signPolicy { policy ? null, uki ? null, sign ? null, publicKey ? null, policyRef ? null, phases ? …, banks ? … }
  #   → signatures by which a policy is renewed (`.pcrsig`): by a test key, `sign = { key = "/absolute/path"; publicKey = ./pcr.pem; }`, or,
  #   with `publicKey` alone, what is to be signed elsewhere.
  signPolicy = { name ? "tpm2-pcr-signature.json", sign ? null, ... }@request:
    perform {
      inherit name;
      operation = "policy.sign";
      request = removeAttrs request [ "name" ] // {
        sign = signingInPart "signPolicy" "sign"
          "Write `pcrSign` of mkUki or mkBootArtifacts, which show it the image; or take `sign` away and give `publicKey`, for a signature that is made elsewhere."
          sign;
      };
    };

  # mkManifest { toplevel, class ? null } → manifest.json: every path of the toplevel's closure with its NAR hash, size and references; with a
  # class, for the machines of that class alone.
  mkManifest = { name ? "manifest.json", toplevel, class ? null }:
    perform {
      inherit name;
      operation = "manifest.create";
      request = { inherit toplevel closure class; };
      closureOf = toplevel;
    };

  # signManifest { manifest, key } → the manifest with a Nix signature on each path; `key` names a file made by
  # `nix-store --generate-binary-cache-key`, outside of the store.
  signManifest = { name ? "manifest.json", manifest, key }:
    perform {
      inherit name;
      operation = "manifest.sign";
      request = { inherit manifest; key = keyString "key" key; };
    };

  # mkEsl { owner ? …, certificates ? [ ], microsoft ? [ ], firmwareBuiltin ? [ ], lists ? [ ], images ? [ ], hashes ? [ ], … }
  #   → signature lists (ESL) for db or dbx, a file. docs/secure-boot-keys.md says in which order entries stand.
  mkEsl = { name ? "list.esl", ... }@entries:
    perform {
      inherit name;
      operation = "keys.esl";
      request = removeAttrs entries [ "name" ];
    };

  # signUpdate { variable, list, time, append ? false, sign ? null, detached ? null }
  #   → a signed update (.auth) of "PK", "KEK", "db" or "dbx" (a file): by a key, `sign`, which must be a test key, or with a signature
  #   that was made elsewhere, `detached = { certificate; signature; }`. A build has no clock: `time` is "2026-01-31T12:00:00Z" or so.
  signUpdate = { name ? "update.auth", sign ? null, ... }@update:
    perform {
      inherit name;
      operation = "keys.auth";
      request = removeAttrs update [ "name" ] // {
        sign = signingInPart "signUpdate" "sign" "Write `detached`, with a signature of what prepareUpdate makes, instead of `sign`." sign;
      };
    };

  # prepareUpdate { variable, list, time, append ? false } → what is to be signed elsewhere for `signUpdate`'s `detached` (a file).
  prepareUpdate = { name ? "signed-data", ... }@update:
    perform {
      inherit name;
      operation = "keys.prepare";
      request = removeAttrs update [ "name" ];
    };

  # mkSigningRequests { artifacts, certificate, digest ? "sha256" }
  #   → a folder with what is to be signed elsewhere for boot artifacts that were built unsigned: <digest>.signed-data of each image.
  # mkSigningRequests { artifacts, pcrs = { publicKey; phases ? …; banks ? …; policyRef ? …; } }
  #   → likewise of PCR 11, for artifacts that were built with `pcrpkey`: <digest>.pcr-data, to be signed before the images are.
  # `touchstone boot sign` signs them where the key is; its output is `detached.signatures` of mkBootArtifacts (of PCR 11: `signatures` of
  # a key of `pcrSign`). docs/boot-artifacts.md.
  mkSigningRequests = { name ? "signing-requests", artifacts, certificate ? null, pcrs ? null, digest ? null, allowExpired ? null }:
    perform {
      inherit name;
      operation = "boot.requests";
      request = { inherit artifacts certificate pcrs digest allowExpired; };
    };

  # signRequests { requests, sign ? null, signPcrs ? null } → the signatures, by a test key (a folder).
  signRequests = { name ? "signatures", requests, sign ? null, signPcrs ? null }:
    perform {
      inherit name;
      operation = "boot.sign";
      request = {
        inherit requests;
        sign = signingInPart "signRequests" "sign" "Write `sign` of mkBootArtifacts, which shows it each image." sign;
        signPcrs = signingInPart "signRequests" "signPcrs" "Write `pcrSign` of mkBootArtifacts, which shows it each image." signPcrs;
      };
    };

  # mkBootArtifacts { bootspec, stub, loader ? null, osRelease ? null, sign ? null, detached ? null, pcrSign ? null, measure ? null, manifestKey ? null, … }
  #   → a folder with all boot artifacts of a generation (docs/boot-artifacts.md):
  #     boot.json, uki.efi, specialisation/<name>/uki.efi, loader.efi, pcrs.json, manifest.json.
  # `bootspec` has the fields of mkBootspec. Images are signed by a test key, `sign`, or with signatures that were made elsewhere,
  # `detached = { certificate = ./db.pem; signatures = ./signatures; }` (a folder of `touchstone boot sign`), or not at all.
  # More fields: profiles = [ { id; title ? null; kernelParams; } ] and shareSpecialisations (entries of the boot menu within one UKI),
  # shim = { image; … }, sections = [ { name; content; } ], sbat, splash, ucode, dtbauto, hwids, deviceTree, pcrpkey, compat.
  # `verify = { manifest ? null; specialisations ? { }; }` tells each initrd what it is to verify, with `manifest` (signManifest, or signed
  # elsewhere) in the image; `manifest = ./signed.json` is one that is only published. Command lines end with "--" then.
  mkBootArtifacts = { name ? "boot-artifacts", bootspec, ... }@generation:
    perform {
      inherit name;
      operation = "boot.artifacts";
      request = artifacts (removeAttrs generation [ "name" ]);
      closureOf = bootspec.toplevel;
    };

  # mkSealedGeneration { …the arguments of mkBootArtifacts…, specialisations ? { }, switch ? null, launcher ? … }
  #   → a generation as a profile takes it: everything that the toplevel `bootspec.toplevel` has, by links, and its boot artifacts in
  #   touchstone/. docs/sealed.md. Its attribute `inner` is the toplevel, and its name is the toplevel's with "-sealed" behind it.
  # `specialisations` maps each name in `bootspec.specialisations` to its sealed generation.
  # `switch = { program; environment; }` is what bin/switch-to-configuration starts, with { "$sealed" = true; } for variables that are
  # the sealed generation's path; null where the toplevel has no such program. `launcher` is a static touchstone-launcher for the
  # system that the generation is for, when that is not the one where it is built. `withoutInitrdSecrets = true` says that the program
  # `initrdSecrets` of the toplevel's boot.json appends nothing (NixOS: `boot.initrd.secrets = { }`).
  mkSealedGeneration =
    { name ? null
    , inner ? bootspec.toplevel
    , bootspec
    , specialisations ? { }
    , switch ? null
    , withoutInitrdSecrets ? null
    , launcher ? "${touchstone}/bin/touchstone-launcher"
    , ...
    }@generation:
    perform
      {
        name = if name == null then "${nameOf inner}-sealed" else name;
        operation = "boot.artifacts";
        request = artifacts (removeAttrs generation [ "name" "inner" "specialisations" "switch" "withoutInitrdSecrets" "launcher" ]) // {
          seal = withoutNulls {
            path = output;
            specialisations = mapAttrs (_: sealed: "${sealed}") specialisations;
            inherit switch withoutInitrdSecrets launcher;
          };
        };
        closureOf = bootspec.toplevel;
      } // { inherit inner; };
}
