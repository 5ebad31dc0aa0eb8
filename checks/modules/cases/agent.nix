# The signing agent: what Nix is told, how the service runs, and the policy that it reads; and the builds that ask it.
{ lib, is, agent, bareOf, configOf, crossPkgs, evaluates, failing, files, installers, minimal, package, verified, ... }:

let
  inherit (builtins) fromJSON unsafeDiscardStringContext;
  inherit (lib) mkForce;

  plain = configOf { };
  of = settings: configOf { imports = [ agent settings ]; };
  served = of { };
  service = config: config.systemd.services.touchstone-agent.serviceConfig;
  sockets = config: lib.mapAttrs (_: socket: socket.socketConfig) config.systemd.sockets;

  # The text that becomes the policy.
  documentOf = config: fromJSON (unsafeDiscardStringContext (builtins.toJSON config.boot.touchstone.agent.document));
  document = documentOf served;
  checkedBy = config: config.boot.touchstone.agent.policy;

  certificate = files."db.pem";
  byAgent = { method = "agent"; key = "agent:db"; inherit certificate; };
  artifactsOf = settings: (configOf { boot.touchstone = settings; }).system.build.bootArtifacts;
  signed = artifactsOf { signing = byAgent; };
  sealed = (configOf { boot.touchstone = { signing = byAgent // { manifestKey = "agent:nix"; }; sealed.enable = true; }; }).system.build.toplevel;

  functions = import ../../../nix-plugin/lib { touchstone = package; system = "x86_64-linux"; };
  featuresOf = derivation: derivation.requiredSystemFeatures or [ ];
  feature = [ "touchstone-agent" ];
  uki = arguments: functions.mkUki ({ stub = files."shim.efi"; linux = files."logo.bmp"; cmdline = "quiet"; } // arguments);
in
{
  "off, Nix starts no hook" = is [ false false ] (map (name: plain.nix.settings ? ${name}) [ "pre-build-hook" "extra-system-features" ]);
  "off, there is no service" = is [ false { } ] [ (plain.systemd.services ? touchstone-agent) plain.systemd.sockets ];
  "off, what a build of the system makes does not depend on it" = is plain.system.build.bootArtifacts.drvPath
    (configOf { boot.touchstone.agent.keys.db = { kind = "image"; key = "/keys/db.key"; }; }).system.build.bootArtifacts.drvPath;
  "on, neither does it" = is plain.system.build.bootArtifacts.drvPath served.system.build.bootArtifacts.drvPath;
  "a configuration as the page has it is valid" = is [ ] (failing served);
  "it needs nothing else of Touchstone" = is [ ] (failing (of { boot.touchstone.enable = mkForce false; }));

  "Nix starts the static hook" = is "${installers.touchstone}/bin/touchstone-pre-build-hook" served.nix.settings.pre-build-hook;
  "Nix has the feature beside its own" = is feature served.nix.settings.extra-system-features;
  "and beside those of others" = is 2 (lib.length (of { nix.settings.extra-system-features = [ "gpu" ]; }).nix.settings.extra-system-features);
  "the agent is the program that reaches tokens and TPMs" = is
    "${installers.touchstone-full}/bin/touchstone agent serve --policy ${checkedBy served} --state /var/lib/touchstone-agent"
    (service served).ExecStart;
  "without a package, who has one is named" = is false (evaluates (bareOf { imports = [ agent ]; }).boot.touchstone.agent.package);
  "people grant by it" = is true (lib.elem installers.touchstone-full served.environment.systemPackages);

  "the control socket is root's" = is { path = "/run/touchstone-agent/control"; name = "control"; mode = "0660"; group = "root"; }
    (let socket = (sockets served).touchstone-agent-control; in { path = socket.ListenStream; name = socket.FileDescriptorName; mode = socket.SocketMode; group = socket.SocketGroup; });
  "or of a group that grants" = is "deployers" (sockets (of { boot.touchstone.agent.granters = "deployers"; })).touchstone-agent-control.SocketGroup;
  "everybody may ask at the direct one" = is [ "/run/touchstone-agent/direct" "direct" "0666" ]
    (let socket = (sockets served).touchstone-agent-direct; in [ socket.ListenStream socket.FileDescriptorName socket.SocketMode ]);
  "both wake the service" = is [ "touchstone-agent.service" ] (lib.unique (map (socket: socket.Service) (lib.attrValues (sockets served))));
  "the sockets of builds are root's alone, and go with it" = is [ "touchstone-agent/builds" "0700" ]
    [ (service served).RuntimeDirectory (service served).RuntimeDirectoryMode ];
  "it has none of root's powers, no network and no core dumps" = is [ "" true [ "AF_UNIX" ] 0 true ]
    (map (name: (service served).${name}) [ "CapabilityBoundingSet" "PrivateNetwork" "RestrictAddressFamilies" "LimitCORE" "NoNewPrivileges" ]);
  "it reaches a TPM where a key is in one" = is [ [ ] [ "/dev/tpmrm0 rw" "/dev/tpm0 rw" ] ]
    [ (service served).DeviceAllow (service (of { boot.touchstone.agent.keys.db.key = mkForce "tpm2:handle=0x81010001"; })).DeviceAllow ];
  "it writes where checkpoints are exported to" = is [ "-/mnt/checkpoints" ]
    (service (of { boot.touchstone.agent.log.exports = [ "/mnt/checkpoints" ]; })).ReadWritePaths;
  "who can have Nix lie is warned of" = is 1
    (lib.length (lib.filter (lib.hasPrefix "boot.touchstone.agent.") (of { nix.settings.trusted-users = [ "root" "alice" ]; }).warnings));
  "root is not" = is [ ] (lib.filter (lib.hasPrefix "boot.touchstone.agent.") served.warnings);

  "the policy is read when the system is built, by the program that will serve it" = is
    [ "${installers.touchstone-full}/bin/touchstone" [ "agent" "check-policy" "--output" ] ]
    [ (checkedBy served).builder (lib.take 3 (checkedBy served).args) ];
  "or by another agent, where that is named" = is "${package}/bin/touchstone" (checkedBy (of { boot.touchstone.agent = { inherit package; }; })).builder;
  "the policy says what the options say, and no more" = is
    {
      version = 1;
      keys = {
        db = { kind = "image"; key = "/keys/db.key"; passphraseFile = "/run/keys/pin"; certificate = files."db.pem"; };
        nix = { kind = "nix"; key = "/keys/nix.key"; };
      };
      images = {
        loader.loader.files = [ files."shim.efi" ];
        system.uki = {
          stub.files = [ files."shim.efi" ];
          toplevel = { builtHere = true; };
          kernel.ofToplevel = { trustedPublicKeys = [ "cache-1:AAAA" ]; builtHere = false; names = [ "linux-*" ]; };
          initrd.ofToplevel = { builtHere = true; names = [ "initrd-*" ]; };
          cmdline.allowed = [ "quiet" ];
          sections.".splash".any = true;
        };
      };
      rules = [
        {
          name = "fleet";
          derivations = { names = [ "nixos-system-web*-sealed" ]; requesters = [ "deploy" ]; };
          operations = [
            { authenticode = { key = "db"; image = "system"; }; }
            { authenticode = { key = "db"; image = "loader"; }; }
            { manifest = { key = "nix"; origin = { builtHere = true; }; }; }
          ];
        }
      ];
      grants = { builds = 1; };
      limits = { };
      log = { checkpointKey = "/keys/log.key"; checkpointEntries = 100; };
    }
    document;
  "limits, where they are said" = is { connections = 64; }
    (documentOf (of { boot.touchstone.agent.limits.connections = 64; })).limits;
  "a rule for users" = is [{ name = "fleet"; users = [ "root" ]; operations = [{ authenticode = { key = "db"; image = "loader"; }; }]; }]
    (documentOf (of { boot.touchstone.agent.rules = mkForce { fleet = { users = [ "root" ]; operations = [{ authenticode = { key = "db"; image = "loader"; }; }]; }; }; })).rules;
  "values of register 11" = is { pcrPolicy = { key = "pcr"; image = "system"; banks = [ "sha256" ]; phases = [ "enter-initrd" ]; }; }
    (lib.last (lib.head (documentOf (of {
      boot.touchstone.agent = {
        keys.pcr = { kind = "pcr"; key = "tpm2:handle=0x81010002"; publicKey = files."pcr.pem"; };
        rules.fleet.operations = lib.mkAfter [{ pcrPolicy = { key = "pcr"; image = "system"; phases = [ "enter-initrd" ]; }; }];
      };
    })).rules).operations);

  "images are signed by the agent's key, in the build" = is { key = "agent:db"; inherit certificate; } signed.request.sign;
  "the build asks for a socket" = is feature (featuresOf signed);
  "a sealed generation, too, and its manifest is signed" = is [ feature "agent:nix" ] [ (featuresOf sealed) sealed.request.manifestKey ];
  "a manifest for a class of machines is signed as a whole, by a build of its own" = is [ "manifest.sign" "agent:nix" feature "kiosk" false ]
    (
      let
        inherit ((configOf {
          imports = [ verified ];
          boot.initrd.verify.manifest.class = "kiosk";
          boot.touchstone = { signing = byAgent // { manifestKey = "agent:nix"; }; sealed.enable = true; };
        }).system.build.toplevel) request;
        inherit (request) manifest;
      in
      [ manifest.request.operation manifest.request.key (featuresOf manifest) manifest.request.manifest.request.class (request ? manifestKey) ]
    );
  "register 11 is signed by a key of the agent's" = is { keys = [{ key = "agent:pcr"; publicKey = files."pcr.pem"; }]; }
    (artifactsOf { signing = byAgent; measuredBoot = { enable = true; policy = { enable = true; key = "agent:pcr"; publicKey = files."pcr.pem"; }; }; }).request.pcrSign;
  "a prediction is of images that are signed" = is false
    ((artifactsOf {
      signing = byAgent;
      measuredBoot = { enable = true; secureBootVariables = { PK = files."PK.esl"; KEK = files."KEK.esl"; db = files."db.esl"; }; };
    }).request.measure.secureBoot ? certificate);
  "the machine's installer asks the machine's agent" = is [ "agent:db" [ ] ]
    (
      let
        config = configOf { boot.touchstone.signing = { method = "install"; key = "agent:db"; inherit certificate; }; boot.loader.touchstone.enable = true; };
      in
      [ config.boot.loader.touchstone.settings.signing.key (failing config) ]
    );
  "for which the static one is enough" = is installers.touchstone.outPath
    (configOf { boot.touchstone.signing = { method = "install"; key = "agent:db"; inherit certificate; }; boot.loader.touchstone.enable = true; }).boot.loader.touchstone.package.outPath;

  "no other build asks for a socket" = is [ [ ] [ ] [ ] [ ] ] (map featuresOf [
    plain.system.build.bootArtifacts
    (artifactsOf { signing = { method = "test"; key = "/keys/db.key"; inherit certificate; }; })
    (uki { })
    (functions.mkManifest { toplevel = "${package}"; })
  ]);
  "by whatever field a key is named" = is [ feature feature feature feature feature ] (map featuresOf [
    (uki { sign = { key = "agent:db"; inherit certificate; }; })
    (uki { pcrSign.keys = [{ publicKey = files."pcr.pem"; signatures = files."signatures"; } { key = "agent:pcr"; publicKey = files."pcr.pem"; }]; })
    (functions.signPe { file = files."shim.efi"; sign = { key = "agent:db"; inherit certificate; }; })
    (functions.signManifest { manifest = files."signatures"; key = "agent:nix"; })
    (functions.mkBootArtifacts { bootspec = { toplevel = "${package}"; }; stub = files."shim.efi"; manifestKey = "agent:nix"; })
  ]);
} // lib.optionalAttrs minimal {
  "a policy for a machine of another kind is read by the program that can be started here" = is [ "${package}/bin/touchstone" "x86_64-linux" ]
    (let checked = checkedBy (of { _module.args.pkgs = mkForce crossPkgs; }); in [ checked.builder checked.system ]);
}
