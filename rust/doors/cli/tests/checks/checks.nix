# The checks for users' flakes, each where it holds and where it does not.
#   checkout, inputs   as doors.nix has them
#   damaged            a folder of boot artifacts in which a file was changed
#   key                a private key, and its fingerprint
#   trusted            the public key of the manifests' signer
#   toplevel           a folder with etc/os-release and init
#   bash, busybox      these programs
{ checkout, inputs, damaged, key, fingerprint, trusted, toplevel, bash, busybox }:

let
  doors = import (checkout + "/rust/doors/cli/tests/doors.nix") { inherit checkout inputs; };
  inherit (doors.lib) checks;
  file = name: path: builtins.path { inherit name path; };
  artifacts = doors.artifacts.generation2;
  sealed = doors.sealed.generation2;
  # Made like `artifacts`, but for these fields.
  like = fields: doors.lib.mkBootArtifacts (removeAttrs artifacts.request [ "operation" "output" "closure" ] // fields);
  unsigned = like { sign = null; manifestKey = null; measure = null; };
  # One UKI for the generation and its specialisation, with profiles that add kernel parameters.
  shared = like {
    shareSpecialisations = true;
    profiles = [{ id = "debug"; title = "Debugging"; kernelParams = [ "debug" ]; }];
  };
  profiled = like { profiles = [{ id = "debug"; title = "Debugging"; kernelParams = [ "debug" ]; }]; };
  # The system brings an os-release along.
  released = osRelease: like {
    inherit osRelease;
    bootspec = removeAttrs artifacts.request.bootspec [ "specialisations" ] // {
      toplevel = "${file "toplevel" toplevel}";
      init = "${file "toplevel" toplevel}/init";
    };
  };
  db = file "db.esl" inputs.secureBoot.db;

  # As the flake's lib.checks: the system is that of the artifacts.
  bySystem = import (checkout + "/nix-plugin/lib/by-system.nix") {
    functionsOf = system: if system == artifacts.system then checks else throw "another system";
    names = builtins.attrNames checks;
  };

  # A path value in a configuration: so a key comes into the closure, or a program.
  naming = path: doors.lib.mkBootspec (artifacts.request.bootspec // {
    extensions."org.example.leak".key = "${path}";
  });
  leaking = naming (file "secret" key);
  # What checks/generations.nix puts in the place of NixOS' script.
  switch = { path = "/nix/store/*/bin/switch-to-configuration"; reason = "it stands for NixOS' own"; };
  script = builtins.toFile "script" "#! /usr/bin/env -S python3\n";
in
{
  names = builtins.attrNames checks;

  holds = {
    artifacts = checks.artifactsVerify { inherit artifacts; };
    artifactsBySystem = bySystem.artifactsVerify { inherit artifacts; };
    sealed = checks.artifactsVerify { artifacts = sealed; };
    shared = checks.artifactsVerify { artifacts = shared; };
    sharedWithoutMeasure = checks.artifactsVerify { artifacts = shared; measure = null; };
    profiled = checks.artifactsVerify { artifacts = profiled; };
    released = checks.artifactsVerify { artifacts = released { file = file "os-release" (toplevel + "/etc/os-release"); }; };
    signatures = checks.signaturesVerify { inherit artifacts db; trustedKeys = [ trusted ]; };
    signaturesOfSealed = checks.signaturesVerify { artifacts = sealed; inherit db; trustedKeys = [ trusted ]; };
    space = checks.espFits { artifacts = [ artifacts sealed ]; size = "512M"; };
    spaceBySystem = bySystem.espFits { artifacts = [ artifacts ]; size = 536870912; system = artifacts.system; };
    bootspec = checks.bootspecValid { inherit artifacts; };
    bootspecOfToplevel = checks.bootspecValid { document = sealed; };
    secrets = checks.noSecretsInStore { toplevel = sealed; };
    allowed = checks.noSecretsInStore { paths = [ (file "secret" key) ]; allow = [ fingerprint ]; };
    pcrs = checks.pcrsUnchanged { expected = "${artifacts}/pcrs.json"; actual = "${artifacts}/pcrs.json"; };
    # Our own programs among it.
    interpreters = checks.noInterpreters { toplevel = sealed; paths = [ inputs.touchstone inputs.probe ]; allow = [ switch ]; };
    allowedInterpreters = bySystem.noInterpreters {
      toplevel = naming script;
      allow = [ switch { path = "/nix/store/*-script"; reason = "it is a test"; } ];
      system = artifacts.system;
    };
  };

  fails = {
    artifacts = checks.artifactsVerify { artifacts = file "damaged" damaged; };
    signatures = checks.signaturesVerify { artifacts = unsigned; inherit db; };
    otherRelease = checks.artifactsVerify { artifacts = released artifacts.request.osRelease; };
    trust = checks.signaturesVerify { artifacts = unsigned; inherit db; trustedKeys = [ trusted ]; };
    space = checks.espFits { artifacts = [ artifacts ]; size = "300M"; generations = 100; };
    bootspec = checks.bootspecValid { document = file "boot.json" (damaged + "/pcrs.json"); };
    secrets = checks.noSecretsInStore { toplevel = leaking; };
    pcrs = checks.pcrsUnchanged {
      expected = "${doors.artifacts.generation1}/pcrs.json";
      actual = "${artifacts}/pcrs.json";
    };
    renamed = checks.noInterpreters { toplevel = naming (file "harmless.so" bash); };
    script = checks.noInterpreters { toplevel = naming script; allow = [{ path = "/nix/store/*-other"; reason = "it is a test"; }]; };
    busybox = checks.noInterpreters { paths = [ (file "notes" busybox) ]; };
    noReason = checks.noInterpreters { paths = [ script ]; allow = [{ path = script; reason = ""; }]; };
    noSystem = bySystem.noSecretsInStore { paths = [ "/nowhere" ]; };
  };
}
