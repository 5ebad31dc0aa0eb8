# The derivations of boot artifacts and of signing requests: who builds them, and what they are asked for.
{ lib, is, bareOf, configOf, evaluates, minimal, package, crossPkgs, files, ... }:

let
  of = settings: (configOf { boot.touchstone = settings; }).system.build;
  requestOf = settings: (of settings).bootArtifacts.request;
  measureOf = settings: (requestOf { measuredBoot = { enable = true; } // settings; }).measure;

  plain = configOf { };
  inherit (plain.system.build) bootArtifacts;

  certificate = files."db.pem";
  test = { method = "test"; key = "/keys/db.key"; inherit certificate; };
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };
  install = { method = "install"; key = "tpm2:handle=0x81010001"; inherit certificate; };
  variables = { PK = files."PK.esl"; KEK = files."KEK.esl"; db = files."db.esl"; };

  fleet = {
    signing = detached;
    measuredBoot = { enable = true; policy = { enable = true; publicKey = files."pcr.pem"; signatures = files."signatures"; }; };
  };

  systemdOf = version: { pkgs, ... }: { systemd.package = pkgs.systemd // { inherit version; }; };
  measureWith = version: initrd: (configOf {
    imports = [ (systemdOf version) ];
    boot.initrd.systemd.enable = initrd;
    boot.touchstone.measuredBoot.enable = true;
  }).system.build.bootArtifacts.request.measure;

in
{
  "the builder is the program itself" = is "${package}/bin/touchstone" bootArtifacts.builder;
  "it is called as a builder, with structured attributes" = is [ [ "builder" ] true ] [ bootArtifacts.args bootArtifacts.__structuredAttrs ];
  "no shell and no other program is in the derivation" = is [ ]
    (lib.filter (name: lib.elem name [ "buildCommand" "stdenv" "shell" "buildInputs" "nativeBuildInputs" "PATH" ]) (lib.attrNames bootArtifacts));
  "it builds on the machine that builds" = is "x86_64-linux" bootArtifacts.system;
  "the closure of the toplevel reaches the manifest" = is [ "${plain.system.build.toplevel}" ] bootArtifacts.exportReferencesGraph.closure;
  "it has the machine's name" = is "${plain.system.name}-boot-artifacts" bootArtifacts.name;
  "the operation, and nothing that was not asked for" = is
    [ "bootspec" "closure" "loader" "operation" "osRelease" "output" "stub" ]
    (lib.attrNames bootArtifacts.request);
  "os-release is that of the machine" = is { file = "${plain.environment.etc."os-release".source}"; } bootArtifacts.request.osRelease;

  "nobody signs by default" = is [ false false ] (map (field: bootArtifacts.request ? ${field}) [ "sign" "detached" ]);
  "a test key signs in the build" = is { key = "/keys/db.key"; inherit certificate; } (requestOf { signing = test; }).sign;
  "detached signatures are attached without a key" = is
    [{ inherit certificate; signatures = files."signatures"; } false]
    [ (requestOf { signing = detached; }).detached (requestOf { signing = detached; } ? sign) ];
  "what the machine signs stays unsigned" = is [ false false ] (map (field: requestOf { signing = install; } ? ${field}) [ "sign" "detached" ]);
  "the machine's key is in no derivation" = is false (lib.hasInfix "tpm2:" (builtins.toJSON (requestOf { signing = install; })));

  "splash" = is files."logo.bmp" (requestOf { uki.splash = files."logo.bmp"; }).splash;
  "specialisations share the image where that is asked for" = is true (requestOf { uki.shareSpecialisations = true; }).shareSpecialisations;
  "another stub" = is files."shim.efi" (requestOf { uki.stub = files."shim.efi"; }).stub;
  "sections, by name" = is
    [{ name = ".fleet"; content = "rack 4"; } { name = ".notes"; content.file = files."PK.esl"; }]
    (requestOf { uki.extraSections = { ".notes".source = files."PK.esl"; ".fleet".text = "rack 4"; }; }).sections;
  "profiles, by ID" = is
    [{ id = "debug"; title = "debug"; kernelParams = [ "debug" ]; } { id = "reset"; title = "Factory reset"; kernelParams = [ ]; }]
    (requestOf { uki.profiles = { reset.title = "Factory reset"; debug.kernelParams = [ "debug" ]; }; }).profiles;
  "shim, and no boot loader" = is [{ image = files."shim.efi"; } false]
    (let request = requestOf { measuredBoot.bootPath = { shim = files."shim.efi"; loader = null; }; }; in [ request.shim (request ? loader) ]);
  "no images, no artifacts" = is false (evaluates (of { uki.enable = false; }).bootArtifacts.drvPath);

  "what is predicted without Secure Boot variables" = is { pcrs = [ 9 11 12 13 ]; osSeparator = false; } (measureOf { });
  "what is predicted with them" = is
    { pcrs = [ 4 7 9 11 12 13 ]; osSeparator = false; secureBoot = variables // { enabled = true; }; }
    (requestOf { signing = test; measuredBoot = { enable = true; secureBootVariables = variables; }; }).measure;
  "of images that are signed later, the certificate is told" = is (variables // { enabled = true; inherit certificate; })
    (requestOf { signing = install; measuredBoot = { enable = true; secureBootVariables = variables; }; }).measure.secureBoot;
  "dbx is told where there is one" = is files."dbx.esl"
    (measureOf { secureBootVariables = variables // { dbx = files."dbx.esl"; enabled = false; }; }).secureBoot.dbx;
  "a stub of systemd 262 leaves PCR 9 out" = is [ 11 12 13 ] (measureWith "262" true).pcrs;
  "the initrd of systemd 262 draws its line" = is true (measureWith "262.1" true).osSeparator;
  "that of systemd 258 does not" = is false (measureWith "258.2" true).osSeparator;
  "an initrd without systemd does not" = is false (measureWith "262" false).osSeparator;
  "nothing is predicted unasked" = is false (bootArtifacts.request ? measure);
  "a policy is signed by the build's test key" = is { keys = [{ key = "/keys/pcr.key"; publicKey = files."pcr.pem"; }]; }
    (requestOf {
      signing = test;
      measuredBoot = { enable = true; policy = { enable = true; key = "/keys/pcr.key"; publicKey = files."pcr.pem"; }; };
    }).pcrSign;

  "elsewhere made signatures of the policy are attached without a key" = is { keys = [{ publicKey = files."pcr.pem"; signatures = files."signatures"; }]; }
    (requestOf fleet).pcrSign;
  "they are asked for of images that have the public key alone" = is [ "boot.requests" { publicKey = files."pcr.pem"; } true ]
    (
      let inherit ((of fleet).policyRequests) request; in
      [ request.operation request.pcrs (evaluates (of (lib.recursiveUpdate fleet { measuredBoot.policy.signatures = "/not/there/yet"; })).policyRequests.drvPath) ]
    );
  "the images' requests are made of images with the policy's signatures" = is false
    ((of fleet).signingRequests.drvPath == (of { signing = detached; }).signingRequests.drvPath);
  "requests are made of the unsigned artifacts" = is [ "boot.requests" certificate false false ]
    (
      let
        request = (of { signing = detached; }).signingRequests.request;
        unsigned = requestOf { signing = { inherit certificate; }; };
      in
      [ request.operation request.certificate (unsigned ? detached) (unsigned ? sign) ]
    );
  "requests need no signatures yet" = is true (evaluates (of { signing = detached // { signatures = "/not/there/yet"; }; }).signingRequests.drvPath);
  "requests are the same before and after signing" = is (of { signing = { inherit certificate; }; }).signingRequests.drvPath
    (configOf { boot.touchstone.signing = detached; }).system.build.signingRequests.drvPath;

  "a machine of another kind has its own stub and boot loader" = is [ true true ]
    (
      let inherit (configOf { nixpkgs.hostPlatform = "aarch64-linux"; }) boot; in
      [ (lib.hasSuffix "/linuxaa64.efi.stub" boot.touchstone.uki.stub) (lib.hasSuffix "/systemd-bootaa64.efi" boot.touchstone.measuredBoot.bootPath.loader) ]
    );
} // lib.optionalAttrs minimal (
  let
    crossed = pkgs: bareOf { _module.args.pkgs = lib.mkForce pkgs; boot.touchstone = { signing = detached; sealed.enable = true; }; };
    ours = derivation { name = "touchstone-of-the-machine"; system = "aarch64-linux"; builder = "/not-a-real-builder"; };
    cross = crossPkgs // { touchstone = ours; buildPackages.touchstone = package; };
    inherit (crossed cross) system;
  in
  {
    "without a flake, the package is that of nixpkgs" = is "${package}" "${(crossed cross).boot.touchstone.package}";
    "without any, it is asked for" = is false (evaluates (crossed crossPkgs).boot.touchstone.package);
    "what is built for another machine is built here" = is [ "x86_64-linux" "aarch64-linux" ]
      [ system.build.bootArtifacts.system system.build.bootArtifacts.request.bootspec.system ];
    "its launcher runs there" = is "${ours}/bin/touchstone-launcher" system.build.toplevel.request.seal.launcher;
    "else it is the package's" = is "${package}/bin/touchstone-launcher"
      (configOf { boot.touchstone = { signing = detached; sealed.enable = true; }; }).system.build.toplevel.request.seal.launcher;
  }
)
