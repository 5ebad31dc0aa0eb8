# Functions of one attribute set that exist for each system, as functions that take `system` as one attribute more; when it is not given,
# it is that of the derivation among the other attributes.
#
#   functionsOf   system → the functions by name
#   names         their names
{ functionsOf, names }:

let
  inherit (builtins) attrValues concatMap head isAttrs isList listToAttrs map removeAttrs;

  derivations = value:
    if isList value then concatMap derivations value
    else if !(isAttrs value) then [ ]
    else if (value.type or null) == "derivation" then [ value ]
    else concatMap derivations (attrValues value);

  systemOf = name: arguments:
    let found = derivations (attrValues arguments); in
    if found == [ ] then throw "touchstone: checks.${name} needs `system`: no derivation among its arguments says for which system it is"
    else (head found).system;

  bySystem = name: arguments:
    (functionsOf (arguments.system or (systemOf name arguments))).${name} (removeAttrs arguments [ "system" ]);
in
listToAttrs (map (name: { inherit name; value = bySystem name; }) names)
