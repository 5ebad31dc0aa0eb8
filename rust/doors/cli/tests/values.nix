# Values of every function, from requests of every kind: asked of one Nix that has loaded the plugin and of one that has not.
#   checkout    this repository
#   inputs      as in ./doors.nix
{ checkout, inputs }:

let
  doors = import (checkout + "/rust/doors/cli/tests/doors.nix") { inherit checkout inputs; };
  inherit (doors) derivations lib toplevel;
  inherit (lib) answers values;
  inherit (builtins) attrNames attrValues concatMap getContext isAttrs isList isString listToAttrs mapAttrs toJSON;

  file = name: path: builtins.path { inherit name path; };
  secureBoot = mapAttrs (name: file "${name}.esl") inputs.secureBoot;
  db = secureBoot.db;
  loader = derivations."pe.sign";
  generation = derivations."boot.artifacts";
  corpus = checkout + "/checks/fuzz/corpus";

  # A generation that nobody builds.
  described = toplevel: {
    inherit toplevel;
    init = "${toplevel}/init";
    kernel = "${toplevel}/kernel";
    initrds = [ "${toplevel}/initrd" ];
    kernelParams = [ "quiet" ];
    label = "A generation";
  };

  # Several outputs, none of which is ever built.
  several = derivation { name = "several"; system = "x86_64-linux"; outputs = [ "out" "dev" ]; builder = "/not-a-real-builder"; };

  # No set that the builder of a derivation replaces.
  lookalikes = of: of.bootspec (described "${several}" // {
    extensions."org.example" = { beside = { "$output" = "out"; "$attribute" = "outputs"; }; other."$other" = "out"; converted = { __toString = _: "text"; "$output" = "out"; }; };
  });

  # By name: what is asked of one of the functions. `unbuilt` names what nobody can build, `named` what somebody can, and neither is read;
  # `sources` are files that are read, `outputs` files of derivations that are read.
  unbuilt = {
    "a generation of outputs" = of: of.bootspec (described "${several}");
    "a generation of two outputs" = of: of.bootspec (described "${several}" // { kernel = "${several.dev}/kernel"; });
    "a generation with its derivations" = of: of.bootspec (described "${several}" // { kernelParams = [ several.drvPath ]; });
    "a generation with the file of a derivation" = of: of.bootspec (described "${several}" // { kernelParams = [ (builtins.unsafeDiscardOutputDependency several.drvPath) ]; });
    "a generation with extensions" = of: of.bootspec (described "${several}" // {
      extensions."org.example.numbers" = { whole = 5; negative = -5; fraction = 0.25; yes = true; no = null; list = [ 1 "${db}" { deep = [ [ ] { } ]; } ]; empty = ""; };
    });
    "a generation with a specialisation" = of: of.bootspec (described "${several}" // { specialisations.rescue = { system = "x86_64-linux"; } // described "${several.dev}"; });
    "a generation with what looks like references" = lookalikes;
    "a store path with its output" = of: of.parse.storePath { path = "${several.dev}/lib/file"; };
    "a store path with its derivation" = of: of.parse.storePath { path = several.drvPath; };
  };
  named = {
    "a generation that can be built" = of: of.bootspec (removeAttrs (generation.request.bootspec // { inherit toplevel; }) [ "system" ]);
    "a generation of sources" = of: of.bootspec (described "${db}" // { kernel = file "kernel" inputs.kernel; });
    "a generation of paths" = of: of.bootspec (described "${db}" // { kernel = inputs.kernel; });
    "a generation without a context" = of: of.bootspec (described "/nix/store/00000000000000000000000000000000-system");
    "a store path that can be built" = of: of.parse.storePath { path = toplevel; };
    "a store path without a context" = of: of.parse.storePath { path = "/nix/store/00000000000000000000000000000000-system"; };
  };
  sources = {
    "a prediction of sources" = of: of.predictPcrs { uki = corpus + "/pe_image/uki"; loader = null; measure.pcrs = [ 11 ]; };
    "a verdict about a source" = of: of.verify { file = file "loader.efi" inputs.loader; inherit db; };
    "an image as a path" = of: of.parse.pe { file = file "stub.efi" inputs.stub; };
    "an image as a text" = of: of.parse.pe { file = "${file "stub.efi" inputs.stub}"; };
    "an event log" = of: of.parse.eventLog { file = file "log" (corpus + "/event_log/ovmf-2025.02"); };
    "a document" = of: of.parse.bootspec { file = corpus + "/bootspec/both"; };
  };
  outputs = {
    "a prediction" = of: of.predictPcrs { inherit loader; uki = "${generation}/uki.efi"; measure = { inherit secureBoot; withoutBootSecret = true; phases = null; }; };
    "a prediction of boot artifacts" = of: of.predictPcrs {
      artifacts = generation;
      specialisations = [ "rescue" ];
      measure = { inherit (generation.request.measure) secureBoot withoutBootSecret; };
    };
    "a verdict about an output" = of: of.verify { file = loader; inherit db; };
    "an output as a derivation" = of: of.parse.pe { file = loader; };
    "an output as a text" = of: of.parse.pe { file = "${generation}/uki.efi"; };
    "a document that was built" = of: of.parse.bootspec { file = derivations."bootspec.emit"; };
    "a policy" = of: of.parse.pcrPolicy { file = derivations."policy.create"; };
  };
  kinds = { inherit unbuilt named sources outputs; };

  # The contexts of the strings in a value, each once.
  contextsOf = value: attrValues (listToAttrs (map (context: { name = toJSON context; value = context; }) (all value)));
  all = value:
    if isString value then [ (getContext value) ]
    else if isList value then concatMap all value
    else if isAttrs value then concatMap all (attrValues value)
    else [ ];

  # What is said of a value: itself, the contexts in it, and a derivation that is made of it.
  said = value: {
    inherit value;
    contexts = contextsOf value;
    derived = (derivation { name = "derived"; system = "x86_64-linux"; builder = "/not-a-real-builder"; text = toJSON value; }).drvPath;
  };
in
{
  inherit (values) door;
  names = mapAttrs (_: attrNames) kinds;
  said = mapAttrs (_: mapAttrs (_: ask: said (ask values))) kinds;
  asked = mapAttrs (_: ask: (ask answers).drvPath) (unbuilt // named // sources // outputs);
  answered = mapAttrs (_: mapAttrs (_: ask: ask answers)) kinds;

  # Every function that makes files, by the derivation that it makes.
  files = mapAttrs (_: made: made.drvPath) derivations // { sealed = doors.sealed.generation2.drvPath; };

  # What a value is not asked for.
  refused = {
    output = values.bootspec (described "${several}" // { output = "/tmp/boot.json"; });
    answered = answers.bootspec (described "${several}" // { output = "/tmp/boot.json"; });
  };
  # What the builder of a derivation would replace, through either door and as a derivation.
  references = mapAttrs (_: ask: { value = ask values; answer = (ask answers).drvPath; }) {
    attribute = of: of.bootspec (described "${several}" // { extensions."org.example"."a b" = [ 1 { deep."$attribute" = "outputs"; } ]; });
    output = of: of.bootspec (described "${several}" // { extensions."org.example".outPath = { "$output" = "out"; }; });
  };
  caught = mapAttrs (_: value: (builtins.tryEval value).success) {
    output = values.bootspec (described "${several}" // { output = "/tmp/boot.json"; });
    thrown = builtins.deepSeq (values.bootspec (described "${several}" // { label = throw "inside"; })) true;
  };
}
