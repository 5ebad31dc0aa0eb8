# The type of options that name a secret without holding it. A Nix path is of this type, so that an assertion can say what is wrong
# with it: where the module system refuses a value, it says no more than that the type is another one.
{ lib }:

let
  inherit (lib) mkOptionType mergeEqualOption;
  inherit (builtins) isPath isString storeDir;

  # A token's module may well come from the store; what the PIN is read from may not.
  inStore = value: lib.hasPrefix storeDir value || builtins.match ".*pin-source=(file:)?/*${storeDir}.*" value != null;
in
{
  type = mkOptionType {
    name = "secretName";
    description = "string that names a secret outside of the store";
    descriptionClass = "noun";
    check = value: isPath value || isString value;
    merge = mergeEqualOption;
  };

  # A key of the signing agent, as a build names it: in the sandbox there is one socket, at a place that is known. Other values than texts
  # are asked for nothing: a path that is made a text is copied into the store.
  isAgentsName = value: isString value && builtins.match "agent:[^?]+" value != null;

  # Assertions that the option called `option` does not put its secret into the store. `kinds` says what may be written.
  assertions = option: kinds: value:
    map
      ({ holds, fact }: {
        assertion = value == null || holds;
        message = "${option}: ${fact} Write ${kinds}.";
      }) [
      {
        holds = !isPath value;
        fact = "the value is a Nix path, by which the secret would be copied into the store, where everybody can read it.";
      }
      {
        holds = !isString value || !inStore value;
        fact = "the secret lies in the store, where everybody can read it.";
      }
    ];
}
