# Builds that ask the signing agent, and those that should not get what they ask for.
#   checkout   this repository
#   inputs     touchstone, probe, kernel, stub, loader (as checks/generations.nix has them), certificate, pcrKey; and evidence: a folder with the images and bytes that a hostile build brings along
{ checkout, inputs }:

let
  generations = import (checkout + "/checks/generations.nix") {
    inherit (inputs) touchstone probe kernel stub loader;
  };
  inherit (generations) lib;
  generation = generations.bootspecs.generation2;
  other = generations.bootspecs.generation1;
  file = name: path: builtins.path { inherit name path; };

  # What the agent lets in.
  asks = drv: derivation (drv.drvAttrs // { requiredSystemFeatures = [ "touchstone-agent" ]; });
  # The same derivation, but for that.
  doesNotAsk = drv: derivation (removeAttrs drv.drvAttrs [ "requiredSystemFeatures" ]);

  sign = { key = "agent:db"; certificate = file "db.pem" inputs.certificate; };

  pcrKey = file "pcr.pub" inputs.pcrKey;

  commandLine = of: builtins.concatStringsSep " " ([ "init=${of.init}" ] ++ of.kernelParams);
  uki = parts: lib.mkUki ({
    stub = file "stub.efi" inputs.stub;
    linux = generation.kernel;
    inherit (generation) initrds;
    cmdline = commandLine generation;
    osRelease = "ID=touchstone-check\n";
  } // parts);

  # Asks by hand, by a connection for each.
  hostile = { name, asks, meeting ? null }: derivation {
    inherit name asks meeting;
    system = "x86_64-linux";
    builder = "${inputs.probe}/bin/touchstone-probe";
    __structuredAttrs = true;
    requiredSystemFeatures = [ "touchstone-agent" ];
    mode = "ask";
    socket = "/run/touchstone-agent/socket";
  };
  # A file of the store in an image.
  part = file: size: at: { inherit at size file; };
  four = "${builtins.toFile "four" "1234"}";
  # No input of whoever names it.
  foreign = builtins.unsafeDiscardStringContext "${builtins.head other.initrds}";
  ask = name: message: more: { inherit name; header = { id = 1; inherit message; }; } // more;
  authenticode = { operation = "authenticode"; key = "db"; hash = "sha256"; };
in
rec {
  # Builds as they should be: by a rule that wants a grant, and by one that wants signed inputs.
  unsigned = uki { };
  granted = asks (uki { name = "granted-uki.efi"; inherit sign; });
  open = asks (uki { name = "system-uki.efi"; inherit sign; });
  grantedPcr = asks (uki {
    name = "granted-pcr.efi";
    inherit sign;
    pcrpkey = pcrKey;
    pcrSign = { keys = [{ key = "agent:pcr"; publicKey = pcrKey; phases = [ "enter-initrd" ]; }]; banks = [ "sha256" ]; };
  });
  withoutFeature = doesNotAsk open;

  # The same by each holder of the key.
  byFile = granted;
  byToken = asks (uki { name = "granted-uki.efi"; sign = sign // { key = "agent:token"; }; });
  byTpm = asks (uki { name = "granted-uki.efi"; sign = sign // { key = "agent:tpm"; }; });

  manifest = lib.mkManifest { inherit (generation) toplevel; };
  signedManifest = asks (lib.signManifest { name = "granted-manifest"; inherit manifest; key = "agent:nix"; });

  # Of a system that no hostile build has as an input.
  otherManifest = lib.mkManifest { inherit (other) toplevel; };
  # A part of the system, which somebody changes on the disk.
  rescueManifest = lib.mkManifest { inherit (generation.specialisations.rescue) toplevel; };
  otherGranted = asks (uki { name = "granted-other.efi"; inherit (other) initrds; cmdline = commandLine other; inherit sign; });
  otherUnsigned = uki { inherit (other) initrds; cmdline = commandLine other; };

  # Images that a hostile build lets its own tools make.
  commandLines = builtins.mapAttrs (_: cmdline: uki { inherit cmdline; }) {
    secondInit = "${commandLine generation} init=/evil";
    firstInit = "init=/evil ${commandLine generation}";
    quotedInit = "${commandLine generation} \"init=/evil\"";
    noInit = builtins.concatStringsSep " " generation.kernelParams;
    outside = "init=/evil ${builtins.concatStringsSep " " generation.kernelParams}";
    word = "${commandLine generation} rd.systemd.unit=emergency.target";
  };

  # The name of a build that root grants.
  impostor = hostile { name = "granted-uki.efi"; asks = [ (ask "proper" authenticode { payload = unsigned; }) ]; };
  # A name by which everybody gets a socket.
  attempts = hostile {
    name = "system-attempts";
    meeting = "/meeting";
    asks =
      let
        evidence = file "evidence" inputs.evidence;
        brought = name: { inherit name; value = evidence + "/${name}"; };
        images = builtins.mapAttrs (_: image: "${image}") commandLines // builtins.listToAttrs (map brought [
          "otherKernel"
          "overlappingInTheFile"
          "overlappingInMemory"
          "secondCommandLine"
          "longerInMemory"
          "withATail"
          "replayedRequest"
        ]);
        manifests = builtins.listToAttrs (map brought [ "tamperedManifest" "tamperedOnDisk" ]);
        images' = map (name: ask name authenticode { payload = images.${name}; }) (builtins.attrNames images);
        manifests' = map (name: ask name { operation = "manifest"; key = "nix"; } { payload = manifests.${name}; }) (builtins.attrNames manifests);
        digest = "${evidence}/digest";
      in
      images' ++ manifests' ++ [
        # The digest of what is to be signed, in a field, in the place of the image, and in the place of the manifest.
        (ask "digestAsField" (authenticode // { digest = builtins.hashFile "sha256" (evidence + "/digest"); }) { payload = unsigned; })
        (ask "digestAsImage" authenticode { payload = digest; })
        (ask "digestAsManifest" { operation = "manifest"; key = "nix"; } { payload = digest; })
        # Files of the store that are none of the inputs, not there, and no files; and parts of an image that do not fit.
        (ask "foreignPart" (authenticode // { fromStore = [ (part foreign 1 0) ]; }) { payload = unsigned; })
        (ask "absentPart" (authenticode // { fromStore = [ (part "/nix/store/00000000000000000000000000000000-gone" 1 0) ]; }) { payload = unsigned; })
        (ask "partOfAnotherSize" (authenticode // { fromStore = [ (part four 5 0) ]; }) { payload = unsigned; })
        (ask "partBehindTheEnd" (authenticode // { fromStore = [ (part four 4 1000000000) ]; }) { payload = unsigned; })
        (ask "overlappingParts" (authenticode // { fromStore = [ (part four 4 0) (part four 4 3) ]; }) { payload = unsigned; })
        (ask "hugePart" (authenticode // { fromStore = [ (part four 9223372036854775807 0) ]; }) { payload = unsigned; })
        (ask "manyParts" (authenticode // { fromStore = builtins.genList (number: part four 4 (4 * number)) 65; }) { payload = unsigned; })
        (ask "partInFront" (authenticode // { fromStore = [ (part four 4 0) ]; }) { payload = unsigned; })
        # Another key, and what is not for builds.
        (ask "unknownKey" (authenticode // { key = "other"; }) { payload = unsigned; })
        (ask "wrongKey" (authenticode // { key = "nix"; }) { payload = unsigned; })
        (ask "hello" { operation = "hello"; version = 2; } { })
        (ask "grantItself" { operation = "grant"; derivation = "/nix/store/00000000000000000000000000000000-granted-uki.efi.drv"; } { })
        # What was answered to another build, as a request.
        { name = "replayedAnswer"; raw = "${evidence}/replayedAnswer"; }
        # What may be signed is signed here, too.
        (ask "proper" authenticode { payload = unsigned; })
      ];
  };
  # Without the feature nothing is there to ask.
  attemptsWithoutFeature = doesNotAsk (hostile { name = "system-attempts"; asks = [ (ask "proper" authenticode { payload = unsigned; }) ]; });
}
