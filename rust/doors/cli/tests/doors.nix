# One derivation for each operation that a builder performs, made by the library's functions from real inputs.
#   checkout    this repository
#   inputs      the arguments of checks/generations.nix, and more files: addonStub, osRelease, splash, devices and firmware (folders),
#               realKey, realCertificate, pinned, signedData with its detachedSignature, signatures (a folder), and example (of docs/sealed.md)
{ checkout, inputs }:

let
  generations = import (checkout + "/checks/generations.nix") arguments;
  arguments =
    removeAttrs inputs [ "addonStub" "osRelease" "splash" "devices" "firmware" "realKey" "realCertificate" "signedData" "detachedSignature" "signatures" "example" "pinned" ];
  variant = others: import (checkout + "/checks/generations.nix") (arguments // others);
  keyless = { key = null; manifestKey = null; };
  inherit (generations) lib;
  made = generations;
  generation = generations.bootspecs.generation2;

  file = name: path: builtins.path { inherit name path; };
  sign = { inherit (inputs) key; certificate = file "db.pem" inputs.certificate; };
  stub = file "stub.efi" inputs.stub;
  byAgent = { key = "agent:db"; inherit (sign) certificate; };

  # A build signs with test keys only: the certificate says that it is one.
  pcrKey = { inherit (inputs) key; publicKey = sign.certificate; };

  uki = lib.mkUki {
    inherit stub sign;
    linux = generation.kernel;
    inherit (generation) initrds;
    cmdline = "quiet  touchstone.door";
    osRelease = { file = file "os-release" inputs.osRelease; };
    uname = "6.1.0-given";
    sbat = [ "sbat,1,SBAT Version,sbat,1,h\nmine,1,Mine,mine,1,h\n" ];
    splash = file "splash.bmp" inputs.splash;
    sections = [{ name = ".mine"; content = "some text"; }];
    compat = 257;
    pcrSign.keys = [ (pcrKey // { phases = [ "enter-initrd" ]; }) ];
  };
  # Every part; nobody predicts what it measures, for the machine chooses among its device trees.
  whole = lib.mkUki {
    inherit (uki.request) stub linux initrds cmdline osRelease uname sbat splash sections;
    inherit sign;
    ucode = file "ucode" inputs.splash;
    dtb = file "board.dtb" inputs.splash;
    dtbauto = [ (file "one.dtb" inputs.splash) (file "two.dtb" inputs.osRelease) ];
    hwids = file "devices" inputs.devices;
    efifw = [ (file "firmware" inputs.firmware) ];
    pcrpkey = file "pcr.pub" inputs.osRelease;
    pcrsig = "{}";
    profile = "ID=base";
    joinProfiles = [
      (lib.mkUki { stub = file "addon.efi" inputs.addonStub; profile = "ID=other"; cmdline = "other"; })
    ];
    compat = 262;
  };
  loader = lib.signPe { file = file "loader.efi" inputs.loader; inherit sign; };
  manifest = lib.mkManifest { inherit (generation) toplevel; };

  policy = lib.mkPolicy {
    variants = [{ name = "generation 2"; prediction = derivations."measure.predict"; }];
    pcrs = [ 4 7 11 12 ];
    bank = "sha384";
    running.variant = "generation 2";
    next = "generation 2";
  };

  list = lib.mkEsl {
    owner = "11223344-5566-7788-99aa-bbccddeeff00";
    certificates = [ sign.certificate ];
    lists = [ (file "KEK.esl" inputs.secureBoot.KEK) ];
    images = [ stub ];
    hashes = [ "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" ];
    revokeCertificates = [ sign.certificate ];
    revocationTime = "2026-01-31T12:00:00Z";
  };

  prediction = derivations."measure.predict";

  derivations = {
    "bootspec.emit" = lib.mkBootspec generation;
    "uki.assemble" = whole;
    "pe.sign" = loader;
    "pe.prepare" = lib.preparePe {
      inherit (sign) certificate;
      file = file "loader.efi" inputs.loader;
      digest = "sha384";
    };
    "pe.unsign" = lib.unsignPe { file = loader; signature = 1; };
    "measure.predict" = lib.predictPcrs {
      inherit loader uki;
      measure = {
        secureBoot = builtins.mapAttrs (name: file "${name}.esl") inputs.secureBoot;
        banks = [ "sha256" "sha384" ];
        phases = [ "" "enter-initrd" ];
      };
    };
    "measure.compare" = lib.checks.pcrsUnchanged { expected = prediction; actual = prediction; pinned = "pcrs.json"; };
    "reference.create" = lib.referenceDocument {
      generations = { "2" = derivations."boot.artifacts"; other = prediction; };
      pcrs = [ 4 7 11 ];
      banks = [ "sha256" ];
    };
    "pcrlock.create" = lib.pcrlockFiles { generations."2" = derivations."boot.artifacts"; };
    "policy.create" = policy;
    "policy.sign" = lib.signPolicy { inherit policy; publicKey = sign.certificate; policyRef = "door"; };
    "manifest.create" = manifest;
    "manifest.sign" = lib.signManifest { inherit manifest; key = inputs.manifestKey; };
    "boot.artifacts" = generations.artifacts.generation2;
    "bootspec.validate" = lib.checks.bootspecValid { artifacts = derivations."boot.artifacts"; };
    "boot.verify" = lib.checks.artifactsVerify { artifacts = derivations."boot.artifacts"; };
    "boot.space" = lib.checks.espFits {
      artifacts = builtins.attrValues generations.artifacts;
      size = "1G";
      generations = 5;
      clusterSize = 8192;
      sectorSize = 512;
      reserve = "2M";
      shared."EFI/other/loader.efi" = loader;
    };
    "closure.secrets" = lib.checks.noSecretsInStore { inherit (generation) toplevel; };
    "closure.interpreters" = lib.checks.noInterpreters {
      inherit (generation) toplevel;
      allow = [{ path = "/nix/store/*/bin/switch-to-configuration"; reason = "it stands for NixOS' own"; } { path = "/nowhere"; reason = "nothing"; }];
    };
    "boot.requests" = lib.mkSigningRequests { inherit (sign) certificate; artifacts = generations.artifacts.generation2; digest = "sha384"; };
    "boot.sign" = lib.signRequests { inherit sign; requests = lib.mkSigningRequests { inherit (sign) certificate; artifacts = generations.artifacts.generation2; }; };
    "keys.esl" = list;
    "keys.prepare" = lib.prepareUpdate { inherit list; variable = "db"; time = "2026-01-31T12:00:00Z"; };
    "keys.auth" = lib.signUpdate {
      inherit list sign;
      variable = "dbx";
      append = true;
      time = "2026-01-31T12:00:00Z";
    };
  };
  # Answers as outputs.
  answers = {
    "bootspec.emit" = lib.answers.bootspec generation;
    "uki.inspect" = lib.answers.parse.pe { file = uki; };
    "store.path" = lib.answers.parse.storePath { path = "${stub}"; };
  };
  # The same derivation with another attribute `answer`, and with a request that has an output.
  answered = answer: output: derivation {
    inherit (answers."store.path") name system builder args;
    inherit answer;
    __structuredAttrs = true;
    request = answers."store.path".request // output;
  };
in
{
  inherit answers;

  inherit derivations lib;
  inherit (generations) artifacts;
  requests = builtins.mapAttrs (_: derivation: derivation.request) derivations;
  toplevel = generation.toplevel;

  inherit (generations) sealed;
  sealedRequest = generations.sealed.generation2.request;
  # The specialisation, sealed as docs/sealed.md does it.
  documented = import inputs.example {
    inherit lib;
    inherit (generations) environment;
    generation = generations.described generation.specialisations.rescue;
  };
  # Generation 2 with one kernel parameter more.
  otherwise = (variant { extraParams = [ "touchstone.more" ]; }).sealed;
  # Sealed without a key: signed elsewhere, by the answers to these requests.
  signingRequests = lib.mkSigningRequests {
    artifacts = (variant (keyless // { secureBoot = null; })).sealed.generation2;
    inherit (sign) certificate;
  };
  fromSignatures = (variant (keyless // { inherit (inputs) signatures; })).sealed;

  # Signed with a real key, outside: what the build needs of it is public.
  detached = {
    prepared = lib.preparePe { file = stub; certificate = file "real.pem" inputs.realCertificate; };
    signed = lib.signPe {
      file = stub;
      detached = {
        certificate = file "real.pem" inputs.realCertificate;
        signedData = file "signed-data" inputs.signedData;
        signature = file "signature" inputs.detachedSignature;
      };
    };
  };

  # The same of a whole generation: built without a key, signed outside, built again.
  signedElsewhere = rec {
    certificate = file "real.pem" inputs.realCertificate;
    generation = removeAttrs made.artifacts.generation2.request [ "operation" "output" "closure" "sign" "manifestKey" "measure" ];
    unsigned = lib.mkBootArtifacts generation;
    requests = lib.mkSigningRequests { inherit certificate; artifacts = unsigned; };
    signed = lib.mkBootArtifacts (generation // {
      detached = { inherit certificate; signatures = file "signatures" inputs.signatures; };
    });
  };

  # A pinned file, and generations that are or are not what it says.
  unchanged = rec {
    generations.generation = made.artifacts.generation2;
    document = lib.referenceDocument { inherit generations; measurements = true; };
    expected = inputs.pinned;
    same = lib.checks.pcrsUnchanged { inherit expected generations; };
    other = lib.checks.pcrsUnchanged {
      inherit expected;
      generations.generation = made.artifacts.generation1;
    };
    # What was predicted while the UKI was written is what the finished files say (checks/flake-checks.nix).
    finished = lib.checks.pcrsUnchanged {
      expected = "${generations.generation}/pcrs.json";
      actual = lib.predictPcrs {
        loader = "${generations.generation}/loader.efi";
        uki = "${generations.generation}/uki.efi";
        inherit (generations.generation.request) measure;
      };
      pinned = "pcrs.json";
    };
    neither = lib.checks.pcrsUnchanged { inherit expected; };
    generation = lib.predictPcrs {
      artifacts = generations.generation;
      specialisations = [ "rescue" ];
      measure = { inherit (generations.generation.request.measure) secureBoot withoutBootSecret; };
    };
    keylime = lib.referenceDocument {
      inherit generations;
      pcrs = [ 4 11 ];
      format = "keylime-verifier";
      mixtures = true;
    };
  };

  # What must not build.
  refused = {
    answerOfNoOutput = answered { "$output" = "doc"; } { };
    answerAsPath = answered "/build/answer" { };
    answerInTheOutput = answered { "$output" = "out"; } { output = { "$output" = "out"; }; };
    realKey = lib.signPe {
      file = stub;
      sign = { key = inputs.realKey; certificate = file "real.pem" inputs.realCertificate; };
    };
    keyAsPath = lib.signPe { file = stub; sign = sign // { key = inputs.certificate; }; };
    passphraseAsPath = lib.signPe { file = stub; sign = sign // { passphraseFile = inputs.certificate; }; };
    pcrKeyWithoutCertificate = lib.mkUki {
      inherit stub;
      linux = generation.kernel;
      pcrSign.keys = [{ inherit (inputs) key; }];
    };
    pcrKeyAsPath = lib.mkUki {
      inherit stub;
      linux = generation.kernel;
      pcrSign.keys = [{ key = inputs.certificate; }];
    };
    requestsByAgent = lib.signRequests { requests = stub; sign = byAgent; };
    pcrRequestsByAgent = lib.signRequests { requests = stub; signPcrs = byAgent; };
    policyByAgent = lib.signPolicy { uki = stub; sign = byAgent; };
    updateByAgent = lib.signUpdate { variable = "db"; list = stub; time = "2026-01-31T12:00:00Z"; sign = byAgent; };
    unknownAttribute = lib.mkUki { inherit stub; linux = generation.kernel; cmdlien = "quiet"; };
    missingInitrd = lib.mkUki { inherit stub; linux = generation.kernel; initrds = [ "/missing-initrd" ]; };
  };
}
