# The signing agent of a machine that builds: it holds the keys, looks at what it is to sign, and signs what its policy allows.
{ config, lib, pkgs, ... }:

let
  inherit (lib) literalExpression mkIf mkOption types;
  touchstone = config.boot.touchstone;
  cfg = touchstone.agent;
  named = "boot.touchstone.agent";

  secret = import ./secret-name.nix { inherit lib; };
  policy = import ./agent-policy.nix { inherit lib; };

  written = pkgs.writeText "touchstone-agent.json" (builtins.toJSON cfg.document);
  inherit (pkgs.stdenv) buildPlatform hostPlatform;
  # Read when the system is built, by the very program that will serve it; for a machine of another kind, on which a build cannot start that,
  # by the one that makes its artifacts. The keys are no part of that.
  reader = if buildPlatform.system == hostPlatform.system then cfg.package else touchstone.package;
  checked = derivation {
    name = "touchstone-agent.json";
    inherit (buildPlatform) system;
    builder = "${reader}/bin/touchstone";
    args = [ "agent" "check-policy" "--output" (builtins.placeholder "out") "${written}" ];
  };

  state = "touchstone-agent";
  socket = name: mode: group: {
    description = "Touchstone's signing agent (${name})";
    wantedBy = [ "sockets.target" ];
    socketConfig = {
      ListenStream = "/run/touchstone-agent/${name}";
      FileDescriptorName = name;
      Service = "touchstone-agent.service";
      SocketMode = mode;
      SocketGroup = group;
      RemoveOnStop = true;
    };
  };

  number = example: description: mkOption { type = types.nullOr types.ints.positive; default = null; inherit example description; };
in
{
  options.boot.touchstone.agent = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether this machine has a signing agent (docs/agent.md), for the builds of its own Nix and for the users that
        {option}`boot.touchstone.agent.rules` name. Systems whose {option}`boot.touchstone.signing.method` is `"agent"` can be built here then.

        Nix gets a hook that shows a socket of the agent to builds that ask for one
        ({option}`nix.settings.pre-build-hook`), and the system feature `touchstone-agent`.
      '';
    };

    package = mkOption {
      type = types.package;
      default = config.boot.loader.touchstone.packages.touchstone-full or (throw ''
        boot.touchstone.agent.package: this nixpkgs has no package `touchstone-full`. Import `nixosModules.default` of Touchstone's flake, add its
        `overlays.default` to `nixpkgs.overlays`, or write
          boot.touchstone.agent.package = touchstone.packages.''${pkgs.stdenv.hostPlatform.system}.touchstone-full;'');
      defaultText = literalExpression "pkgs.touchstone-full";
      example = literalExpression "touchstone.packages.x86_64-linux.touchstone-full";
      description = "The package with the program `touchstone` that is the agent, which reaches keys in tokens and TPMs.";
    };

    hookPackage = mkOption {
      type = types.package;
      default = config.boot.loader.touchstone.packages.touchstone or touchstone.package;
      defaultText = literalExpression "pkgs.touchstone";
      example = literalExpression "touchstone.packages.x86_64-linux.touchstone";
      description = "The package with the static program `touchstone-pre-build-hook`, which Nix starts before each build.";
    };

    granters = mkOption {
      type = types.str;
      default = "root";
      example = "wheel";
      description = ''
        The group whose members may speak to the agent about grants (`touchstone agent grant`, `touchstone agent revoke`). What a member may
        grant say the `requesters` of {option}`boot.touchstone.agent.rules`.
      '';
    };

    keys = mkOption {
      type = types.attrsOf policy.key;
      default = { };
      example = literalExpression ''
        {
          db = { kind = "image"; key = "pkcs11:token=fleet;object=db?pin-source=/run/keys/pin"; certificate = ./keys/db.pem; };
          nix = { kind = "nix"; key = "/var/lib/keys/nix.key"; };
        }
      '';
      description = "The keys, by the names by which they are asked for: `agent:db`.";
    };

    images = mkOption {
      type = types.attrsOf policy.image;
      default = { };
      example = literalExpression ''
        {
          system.uki = {
            stub.files = [ "''${pkgs.systemd}/lib/systemd/boot/efi/linuxx64.efi.stub" ];
            toplevel.builtHere = true;
            kernel.ofToplevel = { builtHere = true; names = [ "linux-*" ]; };
            initrd.ofToplevel = { builtHere = true; names = [ "initrd-*" ]; };
          };
          loader.loader.files = [ "''${pkgs.systemd}/lib/systemd/boot/efi/systemd-bootx64.efi" ];
        }
      '';
      description = "What images must be that are signed, by names that rules use. Nothing that is not said here may be in an image.";
    };

    rules = mkOption {
      type = types.attrsOf policy.rule;
      default = { };
      example = literalExpression ''
        {
          fleet = {
            derivations = { names = [ "nixos-system-web*-sealed" ]; requesters = [ "deploy" ]; };
            operations = [ { authenticode = { key = "db"; image = "system"; }; } ];
          };
        }
      '';
      description = "Who may have what signed. What no rule allows is refused.";
    };

    grants = {
      seconds = number 600 "Seconds in which a build that was granted must begin. Null: as the agent has it.";
      builds = number 1 "How many times it may begin, for builds that fail are tried again. Null: as the agent has it.";
    };

    log = {
      checkpointKey = mkOption {
        type = secret.type;
        default = "/var/lib/touchstone-agent-key/checkpoint.key";
        example = "/var/lib/keys/touchstone-log.key";
        description = ''
          The absolute path of the key that signs checkpoints of the log, which `touchstone agent log keygen` makes. It lies outside of the store.
        '';
      };
      exports = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "/mnt/elsewhere/checkpoints" ];
        description = ''
          Folders into which signed checkpoints of the log are written. They show what root of this machine cut off or wrote anew only where root
          does not reach: take one that lies on another machine, or is copied there. They must exist: the agent makes none, for where a
          mount is missing it would write beside it.
        '';
      };
      checkpointEntries = number 100 "After how many entries there is a checkpoint at the latest. Null: as the agent has it.";
      checkpointSeconds = number 3600 "After how many seconds there is a checkpoint at the latest. Null: as the agent has it.";
      segmentSize = number 16777216 "After how many bytes the log goes on in another file. Null: as the agent has it.";
      reserve = number 1048576 "How many bytes are kept free for refusals, which are written down also when the disk is full. Null: as the agent has it.";
    };

    # A client is the build of a derivation, or a user.
    limits = lib.mapAttrs (_: { example, what }: number example "${what} Null: as the agent has it.") {
      connections = { example = 64; what = "Connections at the same time."; };
      connectionsPerClient = { example = 16; what = "Connections at the same time of one build, or of one user."; };
      builds = { example = 64; what = "Builds that have a socket at the same time."; };
      buildSeconds = { example = 3600; what = "Seconds after which the socket of a build is closed, if the build does not end before."; };
      payloadBytes = { example = 536870912; what = "Bytes of one image or manifest."; };
      waitingBytes = { example = 4294967296; what = "Bytes of images and manifests that wait to be judged, files of the store in them included."; };
      waitingBytesPerClient = { example = 1073741824; what = "The same, of one build or of one user."; };
      headerSeconds = { example = 5; what = "Seconds in which the header of a request must have arrived."; };
      payloadSeconds = { example = 60; what = "Seconds in which its image or manifest must have arrived; images are shown while they are written."; };
      answerSeconds = { example = 15; what = "Seconds in which an answer must be taken."; };
      idleSeconds = { example = 120; what = "Seconds that a connection may be silent between requests."; };
      drainSeconds = { example = 15; what = "Seconds for answers to be taken when the agent ends."; };
    };

    document = mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      description = "What the policy says.";
    };

    policy = mkOption {
      type = types.package;
      internal = true;
      readOnly = true;
      description = "The policy, as it was checked.";
    };
  };

  config = mkIf cfg.enable {
    assertions = import ./agent-assertions.nix { inherit config lib; };

    warnings =
      let
        others = lib.subtractLists [ "root" ] (config.nix.settings.trusted-users or [ ]);
      in
      lib.optional (others != [ ]) ''
        ${named}.enable: ${lib.concatStringsSep ", " others} of nix.settings.trusted-users can have Nix build anything under the name of any
        derivation, and so have signed what the agent allows to any. Trust only root, or whom you would give the keys.'';

    boot.touchstone.agent = { document = policy.document cfg; policy = checked; };

    nix.settings = {
      pre-build-hook = "${cfg.hookPackage}/bin/touchstone-pre-build-hook";
      # Beside those that NixOS sets by default.
      extra-system-features = [ "touchstone-agent" ];
    };

    environment.systemPackages = [ cfg.package ];

    systemd.sockets = {
      touchstone-agent-control = socket "control" "0660" cfg.granters;
      # Everybody may ask; whom it is given says the policy.
      touchstone-agent-direct = socket "direct" "0666" "root";
    };

    systemd.services.touchstone-agent = {
      description = "Touchstone's signing agent";
      documentation = [ "https://github.com/touchstone-boot/touchstone/blob/main/docs/agent.md" ];
      requires = [ "touchstone-agent-control.socket" "touchstone-agent-direct.socket" ];
      after = [ "touchstone-agent-control.socket" "touchstone-agent-direct.socket" ];
      serviceConfig = import ./agent-service.nix { inherit lib cfg checked state; };
    };
  };
}
