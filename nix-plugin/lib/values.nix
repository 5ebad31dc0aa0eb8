# Values, computed while Nix evaluates: by the plugin where Nix has loaded it (`builtins.touchstone`), else by a build whose answer is read
# back (import-from-derivation). Values and their contexts are the same through both doors, and so is all that is derived from them.
# docs/plugin.md.
#
#   answer      { operation, request } → the derivation that writes the operation's answer, as JSON
#   predicted   the arguments of predictPcrs → the request of measure.predict
#   system      where the builds run
#   version     of this library
#   contract    what its operations take and answer, as one digest: a plugin of another commit has another one
{ answer, predicted, system, version, contract }:

let
  inherit (builtins)
    all attrNames elem elemAt foldl' fromJSON genList isAttrs isList isString length map mapAttrs match readFile seq substring toJSON unsafeDiscardStringContext;

  # Every function: what it is called in `builtins.touchstone`, which operation it is, what it makes of its argument, and whether the
  # operation reads the files that the request names.
  each = make:
    let
      function = path: operation: make { inherit path operation; requestOf = request: request; reads = true; };
    in
    {
      # bootspec { toplevel, init, initrds, kernel, kernelParams, label, … }: the fields of mkBootspec → { document; v1LeftOut ? }.
      bootspec = make {
        path = [ "bootspec" ];
        operation = "bootspec.emit";
        requestOf = generation: { inherit system; } // generation;
        reads = false;
      };
      # predictPcrs { loader ? null, uki ? null, …, measure }: as the function that makes a file → { leaves; assumptions }.
      predictPcrs = make { path = [ "predictPcrs" ]; operation = "measure.predict"; requestOf = predicted; reads = true; };
      # verify { file, db, dbx ? null, … } → whether firmware would start the image, and why.
      verify = function [ "verify" ] "pe.verify";
      parse = {
        # { file } → what a boot.json says.
        bootspec = function [ "parse" "bootspec" ] "bootspec.show";
        # { file, … } → what a PE image consists of.
        pe = function [ "parse" "pe" ] "uki.inspect";
        # { file } → the events of a firmware's log.
        eventLog = function [ "parse" "eventLog" ] "eventlog.show";
        # { path } → the parts of a store path's name. The file need not be there.
        storePath = make { path = [ "parse" "storePath" ]; operation = "store.path"; requestOf = request: request; reads = false; };
        # { file } → what a TPM policy, or a set of signatures, admits.
        pcrPolicy = function [ "parse" "pcrPolicy" ] "policy.show";
      };
    };

  withoutOutput = request:
    if (request.output or null) != null then
      throw "touchstone: a value has no output: use the library's function of that name that makes a file, or leave out `output`"
    else request;

  # `request`, once `evaluated` has evaluated all of it, when none of its sets is one that the builder of a derivation replaces
  # (docs/doors.md): through the other door that would be a set as any other.
  withoutReferences = evaluated: request:
    let
      isReference = set: elem (attrNames set) [ [ "$attribute" ] [ "$output" ] ];
      shown = name: if match "[A-Za-z0-9_-]+" name == null then toJSON name else name;
      # As toJSON has it: a set with `__toString` or `outPath` is that.
      isPlain = at: value:
        if isList value then all (index: isPlain "${at}[${toString index}]" (elemAt value index)) (genList (index: index) (length value))
        else if !(isAttrs value) || value ? __toString then true
        else if value ? outPath then isPlain at value.outPath
        else if isReference value then
          throw "touchstone: `${at}` is a set with `${elemAt (attrNames value) 0}` alone, which a build replaces by something else: give it another attribute beside that one, or another name"
        else arePlain "${at}." value;
      arePlain = before: set: all (name: isPlain "${before}${shown name}" set.${name}) (attrNames set);
    in
    seq evaluated (seq (arePlain "" request) request);

  # Every string in `value` with the context of the string `carrier`; names of attributes have none.
  carrying = carrier:
    let
      context = substring 0 0 carrier;
      carried = value:
        if isString value then context + value
        else if isList value then map carried value
        else if isAttrs value then mapAttrs (_: carried) value
        else value;
    in
    carried;

  byPlugin = { path, requestOf, ... }: request:
    let
      asked = withoutOutput (requestOf request);
      answered = foldl' (set: name: set.${name}) builtins.touchstone path asked;
    in
    seq (withoutReferences answered asked) answered;

  byBuilder = { operation, requestOf, reads, ... }: request:
    let
      asked = withoutOutput (requestOf request);
      text = toJSON asked;
      # What is not read need not be built for the answer.
      enough = if reads then asked else fromJSON (unsafeDiscardStringContext text);
      answered = seq (withoutReferences text asked) (readFile (answer { inherit operation; request = enough; }));
    in
    carrying text (fromJSON (unsafeDiscardStringContext answered));

  door =
    if !(builtins ? touchstone) then "builder"
    else if builtins.touchstone.version != version then
      insteadOf "is of Touchstone ${builtins.touchstone.version}, and this library is ${version}" "builder"
    else if (builtins.touchstone.contract or null) != contract then
      insteadOf "is of another commit of Touchstone ${version} than this library, with other operations" "builder"
    else "plugin";

  insteadOf = what: (builtins.warn or builtins.trace) ''
    touchstone: the plugin that Nix has loaded ${what}: values are built
    instead. Load the plugin of the same flake (docs/plugin.md).'';
in
{
  values = { inherit door; } // each (if door == "plugin" then byPlugin else byBuilder);

  # The same functions, whose results are derivations: of each the output is the answer, as JSON. Nothing is built while Nix evaluates.
  answers = each ({ operation, requestOf, ... }: request:
    let asked = withoutOutput (requestOf request);
    in answer { inherit operation; request = withoutReferences (toJSON asked) asked; });
}
