# Strings with every kind of context: for each its context before, and the contexts of all strings of two answers after.
with import ./prelude.nix;
let
  source = ./source;
  one = unbuilt { name = "one"; outputs = [ "out" "dev" "doc" ]; };
  other = unbuilt { name = "other"; };
  fixed = unbuilt {
    name = "fixed";
    outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    outputHashMode = "flat";
  };
  twice = unbuilt { name = "twice"; inputs = [ one.dev other ]; };

  strings = {
    none = fake "none";
    output = "${one}";
    outputByName = "${one.dev}";
    allOutputsByName = "${one.out}${one.dev}${one.doc}";
    partOfAnOutput = "${one.doc}/share/doc/one.txt";
    drvPath = one.drvPath;
    drvPathAsSource = builtins.unsafeDiscardOutputDependency one.drvPath;
    drvPathMadeDeep = builtins.addDrvOutputDependencies (builtins.unsafeDiscardOutputDependency one.drvPath);
    drvPathAndOutput = "${one.drvPath} ${one.dev}";
    fixedOutput = "${fixed}";
    outputOfInputs = "${twice}";
    sourceFile = "${./source/file}";
    sourceFolder = "${source}";
    belowSource = "${source}/file";
    namedSource = builtins.path { path = ./source; name = "renamed"; };
    filteredSource = builtins.filterSource (path: type: baseNameOf path != "other") ./source;
    textFile = builtins.toFile "text" "a text";
    textFileWithReference = builtins.toFile "referring" "${./source/file}";
    fetched = builtins.fetchurl "file://${toString ./source/file}";
    fetchedTree = (builtins.fetchTree { type = "path"; path = toString ./source; }).outPath;
    storePath = builtins.storePath (builtins.unsafeDiscardStringContext "${./source/file}");
    appended = builtins.appendContext (fake "appended") (getContext "${one.dev}" // getContext "${source}");
    discarded = builtins.unsafeDiscardStringContext "${one.dev}";
    placeholder = "${builtins.placeholder "out"}";
    substring = builtins.substring 0 0 "${one.dev}";
    severalKinds = "${one} ${one.drvPath} ${other} ${source}";
    replaced = builtins.replaceStrings [ "X" ] [ "${other}" ] "X ${one}";
  };

  through = text: {
    before = getContext text;
    # One string, and one of many strings below others.
    alone = contexts (touchstone.bootspec (generation { label = text; }));
    below = contexts (touchstone.bootspec (generation {
      specialisations.a = builtins.removeAttrs (generation { kernelParams = [ "quiet" "x=${text}" ]; }) [ ];
    }));
    # An answer's text.
    text = getContext (touchstone.run (builtins.toJSON ({ operation = "bootspec.emit"; } // generation { label = text; })));
  };
in
builtins.mapAttrs (name: through) strings
