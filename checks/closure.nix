# A closure as large as a system's: paths that are named by how they are built, `outputs` of each of the `derivations`, and `addressed` others that
# are named by what they hold, half of them texts, half of them files.
{ probe, derivations, outputs, addressed }:

let
  numbers = count: builtins.genList toString count;

  texts = map (number: builtins.toFile "text-${number}" "the text ${number}\n") (numbers (addressed / 2));
  files = map (number: builtins.path { name = "file-${number}"; path = builtins.toFile "source" "the file ${number}\n"; }) (numbers (addressed / 2));

  # Each refers to outputs of the one before it, and to some of the texts and files.
  many = number: depends: derivation {
    name = "many-${toString number}";
    system = "x86_64-linux";
    builder = "${probe}/bin/touchstone-probe";
    __structuredAttrs = true;
    outputs = [ "out" ] ++ map (number: "o${number}") (numbers (outputs - 1));
    mode = "many";
    size = 20000;
    inherit depends;
  };
  outputsOf = drv: map (name: "${drv.${name}}") drv.outputs;
  every = step: from: list: builtins.genList (index: builtins.elemAt list (from + index * step)) ((builtins.length list - from + step - 1) / step);
  all = builtins.foldl'
    (before: number: before ++ [
      (many number (every derivations number texts ++ every derivations number files
        ++ (if before == [ ] then [ ] else every 3 0 (outputsOf (builtins.elemAt before (number - 1))))))
    ])
    [ ]
    (builtins.genList (number: number) derivations);
in
derivation {
  name = "system";
  system = "x86_64-linux";
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  mode = "many";
  size = 100;
  isSystem = true;
  outputs = [ "out" ] ++ map (number: "o${number}") (numbers derivations);
  # The last output of each reaches all others of it.
  depends = map (drv: "${drv.out}") all;
}
