# What the expressions of these checks share.
rec {
  inherit (builtins) attrValues concatMap elem foldl' getContext isAttrs isList isString;

  touchstone = builtins.touchstone;

  # A string that looks like a store path, without context.
  fake = name: "/nix/store/00000000000000000000000000000000-${name}";

  # A request of `bootspec` that names no real path, and other fields in the place of its own.
  generation = fields: {
    system = "x86_64-linux";
    init = "${fake "toplevel"}/init";
    initrds = [ "${fake "initrd"}/initrd" ];
    kernel = "${fake "linux"}/bzImage";
    kernelParams = [ "quiet" ];
    label = "a label";
    toplevel = fake "toplevel";
  } // fields;

  # A text without letters, and with a context of a thousand store paths.
  thousandPaths =
    let one = n: builtins.appendContext "" { "/nix/store/${toString (10000000000 + n)}000000000000000000000-a".path = true; };
    in builtins.concatStringsSep "" (builtins.genList one 1000);

  # Derivations that nobody builds.
  unbuilt = fields: derivation ({
    name = "unbuilt";
    system = "x86_64-linux";
    builder = "/nowhere";
  } // fields);

  # Every string of a value, at any depth.
  strings = value:
    if isString value then [ value ]
    else if isList value then concatMap strings value
    else if isAttrs value then concatMap strings (attrValues value)
    else [ ];

  # The contexts of every string of a value, each once.
  contexts = value:
    foldl' (known: one: if elem one known then known else known ++ [ one ]) [ ]
      (map getContext (strings value));
}
