# One request for each operation that a build can perform, as every door is asked.
#   checkout    this repository
#   inputs      as in ../doors.nix; beside its devices lies the folder modules, of a kernel
{ checkout, inputs }:

let
  doors = import (checkout + "/rust/doors/cli/tests/doors.nix") { inherit checkout inputs; };
  inherit (doors) derivations toplevel;
  inherit (builtins) attrNames elem filter listToAttrs mapAttrs removeAttrs toJSON;

  file = name: path: builtins.path { inherit name path; };
  uki = derivations."boot.artifacts" + "/uki.efi";
  loader = derivations."pe.sign";
  log = file "log" (checkout + "/checks/fuzz/corpus/event_log/ovmf-2025.02");
  db = file "db.esl" inputs.secureBoot.db;
  prediction = derivations."measure.predict";

  # A generation of the days before Bootspec.
  old = derivation {
    name = "touchstone-system-old";
    inherit (derivations."uki.assemble") system;
    builder = "${inputs.probe}/bin/touchstone-probe";
    __structuredAttrs = true;
    mode = "toplevel";
    inherit (derivations."boot.artifacts".request.bootspec) kernel kernelParams;
    initrd = builtins.head derivations."boot.artifacts".request.bootspec.initrds;
    init = "${inputs.probe}/bin/touchstone-probe";
    nixosVersion = "19.09";
    specialisations = { };
    links.kernel-modules = file "modules" (dirOf inputs.devices + "/modules");
  };

  # Those that no function of the library builds.
  questions = mapAttrs (operation: request: request // { inherit operation; }) {
    "bootspec.upgrade" = { file = checkout + "/checks/fuzz/corpus/bootspec/v1"; withoutInitrdSecrets = true; };
    "bootspec.synthesize" = { toplevel = old; };
    "bootspec.show" = { file = derivations."bootspec.emit"; };
    "uki.inspect" = { file = uki; banks = [ "sha1" "sha256" ]; };
    "uki.diff" = { a = uki; b = derivations."uki.assemble"; };
    "pe.verify" = { file = loader; inherit db; };
    "pe.digest" = { file = uki; };
    "measure.uki" = { file = uki; banks = [ "sha384" ]; };
    "measure.parts" = { ukis."1" = { stub = file "stub.efi" inputs.stub; linux = file "linux.efi" inputs.kernel; cmdline = "quiet"; }; };
    "reference.check" = {
      document = derivations."reference.create";
      values = builtins.toFile "values.json" (toJSON (listToAttrs (map (name: { inherit name; value = builtins.hashString "sha256" name; }) [ "4" "7" "11" ])));
    };
    "eventlog.show" = { file = log; banks = [ "sha256" ]; };
    "eventlog.replay" = { file = log; };
    "eventlog.compare" = { file = log; predictions = [ prediction ]; };
    "policy.show" = { file = derivations."policy.create"; };
    "keys.inspect" = { files = [ (file "db.pem" inputs.certificate) db ]; };
    "store.path" = { path = "${toplevel}/init"; };
  };

  # Whose answer comes beside files.
  files = [
    "uki.assemble"
    "pe.sign"
    "pe.prepare"
    "pe.unsign"
    "reference.create"
    "pcrlock.create"
    "policy.sign"
    "manifest.create"
    "manifest.sign"
    "boot.artifacts"
    "boot.requests"
    "boot.sign"
    "keys.esl"
    "keys.prepare"
    "keys.auth"
  ];

  isOutput = value: builtins.isAttrs value && value ? "$output";
  withoutOutputs = request: removeAttrs request (filter (name: isOutput request.${name}) (attrNames request));

  requests = mapAttrs
    (operation: request: if elem operation files then request else withoutOutputs request)
    (mapAttrs (_: derivation: derivation.request) derivations // questions);

  # As the library makes it, with the answer as one more output, or as the only one.
  performed = mapAttrs
    (operation: request:
      let made = (derivations.${operation} or derivations."uki.assemble").drvAttrs; in
      derivation (made // { inherit request; } // (
        if elem operation files
        then { outputs = (made.outputs or [ "out" ]) ++ [ "answer" ]; answer = { "$output" = "answer"; }; }
        else { name = "answer"; outputs = [ "out" ]; answer = { "$output" = "out"; }; }
      )))
    requests;

  values = removeAttrs requests (files ++ [ "bootspec.synthesize" "boot.verify" "closure.secrets" "closure.interpreters" ]);
in
{
  inherit files performed requests;
  drvPaths = mapAttrs (_: performed: performed.drvPath) performed;
  built = builtins.concatMap (name: map (output: performed.${name}.${output}) performed.${name}.outputs) (attrNames performed);
  outputs = mapAttrs (_: performed: listToAttrs (map (name: { inherit name; value = performed.${name}.outPath; }) performed.outputs)) performed;
  # What the plugin answers, and what it refuses whatever else is asked for.
  said = mapAttrs (_: request: builtins.touchstone.run (toJSON request)) values;
  refused = listToAttrs (map (operation: { name = operation; value = builtins.touchstone.run (toJSON { inherit operation; }); })
    (builtins.touchstone.operations.files ++ builtins.touchstone.operations.world));
}
