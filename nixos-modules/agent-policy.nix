# What the policy of the signing agent says: no module, but the types of ./agent.nix, and what becomes of their values.
{ lib }:

let
  inherit (lib) filterAttrs isAttrs isList literalExpression mapAttrs mapAttrsToList mkOption types;

  secret = import ./secret-name.nix { inherit lib; };

  set = options: types.submodule { inherit options; };
  maybe = options: description: mkOption { type = types.nullOr (set options); default = null; inherit description; };
  texts = example: description: mkOption { type = types.listOf types.str; default = [ ]; inherit example description; };

  # Where a store path must come from.
  origin = {
    trustedPublicKeys = texts [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ] ''
      Public keys of Nix: a store path is good when one of them has signed it. Its content is hashed again.
    '';
    builtHere = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether a store path is good that this machine has built itself, by its own Nix. Only rules that ask for a person (`requesters` or `users`) may say so.";
    };
  };

  # What a part of an image must be, by content.
  content = what: {
    files = mkOption {
      type = types.listOf (types.either types.path types.str);
      default = [ ];
      example = literalExpression ''[ "''${pkgs.systemd}/lib/systemd/boot/efi/linuxx64.efi.stub" ]'';
      description = "Files in the store, of which ${what} must be one, byte for byte.";
    };
    sha256 = texts [ "5a3f…" ] "SHA-256 digests in hex, of which ${what} must have one (of a stub as `touchstone agent digest` prints it).";
  };

  ofToplevel = what: example: content what // {
    ofToplevel = maybe
      (origin // {
        names = texts [ example ] "How the store paths of these files must be called.";
      }) ''
      ${what} may be the file that the toplevel's own `boot.json` names, where its store path comes from who is named here.
    '';
  };

  part = options: description: mkOption { type = set options; default = { }; inherit description; };

  cmdline.allowed = texts [ "quiet" "loglevel=*" ] ''
    Words that the command line may have beside `init=` (exactly once, the toplevel's) and the kernel parameters in the toplevel's own
    `boot.json`. A `*` stands for any text.
  '';
  sections = mkOption {
    type = types.attrsOf (set (content "the section" // {
      any = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether the section may have any content.";
      };
    }));
    default = { };
    example = { ".splash".any = true; };
    description = "More sections that the image may have, by their names. An image with any other section is refused.";
  };
  sbat = mkOption {
    type = types.attrsOf types.ints.positive;
    default = { };
    example = { "systemd-stub" = 1; };
    description = "The generation that components have in `.sbat`: exactly this one, since a higher one would evade a revocation.";
  };

  # An option that is not set says nothing.
  said = value:
    if isList value then map said value
    else if isAttrs value then filterAttrs (_: one: one != null && one != [ ] && one != { }) (mapAttrs (_: said) value)
    else if builtins.isPath value then "${value}"
    else value;

  ruleOf = name: rule: { inherit name; } // said { inherit (rule) derivations users operations; };
in
{
  key = set {
    kind = mkOption {
      type = types.enum [ "image" "pcr" "nix" ];
      example = "image";
      description = "What the key signs: images (`\"image\"`), values of register 11 (`\"pcr\"`), or store paths (`\"nix\"`). Each key signs one of them.";
    };
    key = mkOption {
      type = secret.type;
      example = "pkcs11:token=fleet;object=db?pin-source=/run/keys/token-pin";
      description = ''
        The name of the private key: the absolute path of a file outside of the store, or the URI of a key in a PKCS#11 token (`pkcs11:…`)
        or a TPM (`tpm2:…`), which say themselves where the PIN is (`pin-source`, `auth-source`). A key of Nix is a file of
        `nix-store --generate-binary-cache-key`. Nobody but root may read these files.
      '';
    };
    passphraseFile = mkOption {
      type = types.nullOr secret.type;
      default = null;
      example = "/var/lib/keys/db-passphrase";
      description = "The absolute path of the file whose first line is the passphrase of an encrypted key file. It lies outside of the store.";
    };
    certificate = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = literalExpression "./keys/db.pem";
      description = "The certificate of a key that signs images, and no other. Certificates after the first go into signatures, as the key's chain.";
    };
    publicKey = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = literalExpression "./keys/pcr.pub";
      description = "The public half of a key that signs values of register 11, and no other: in PEM, byte for byte what images have as `.pcrpkey`.";
    };
  };

  image = set {
    uki = maybe
      {
        stub = part (content "the stub") "The stub of the image.";
        toplevel = part origin "Where the system must come from that `init=` names. It is an input of the very derivation that is built.";
        kernel = part (ofToplevel "The kernel" "linux-*") "The kernel.";
        initrd = part (ofToplevel "The initrd" "initrd-*") "The initrd.";
        cmdline = part cmdline "The command line.";
        inherit sections sbat;
        pcrKeys = texts [ "pcr" ] "The keys (of {option}`boot.touchstone.agent.keys`) whose public half and signatures the image may bring along (`.pcrpkey`, `.pcrsig`).";
      } "A unified kernel image. Exactly one of `uki`, `loader` and `addon` is given.";
    loader = maybe
      {
        inherit (content "the boot loader") files;
        sha256 = texts [ "5a3f…" ] "Authenticode digests (SHA-256) in hex: `touchstone pe digest FILE`.";
      } "A boot loader.";
    addon = maybe
      {
        stub = part (content "the stub") "The stub of the addon.";
        cmdline = part cmdline "The command line that the addon adds.";
        inherit sections sbat;
      } "An addon, which brings no kernel.";
  };

  rule = set {
    derivations = maybe
      {
        names = texts [ "nixos-system-web*-sealed" "nixos-system-web*-manifest.json" ] "What the derivations are called, with `*` for any text. Whoever writes a derivation chooses its name.";
        requesters = texts [ "deploy" ] ''
          Users of this machine of whom one must have granted the very derivation, by `touchstone agent grant`, before it is built. root may
          grant any. When nobody is named, the names and the content of what is signed are all that counts.
        '';
      } "The derivations whose builds may sign. Exactly one of `derivations` and `users` is given.";
    users = texts [ "root" ] "The users of this machine whose programs may sign, without a build: `touchstone-install` signs as root.";
    operations = mkOption {
      default = [ ];
      example = [{ authenticode = { key = "db"; image = "system"; }; }];
      description = "What they may have signed.";
      type = types.listOf (set {
        authenticode = maybe
          {
            key = mkOption { type = types.str; example = "db"; description = "The key, by its name in {option}`boot.touchstone.agent.keys`."; };
            image = mkOption { type = types.str; example = "system"; description = "What the image must be, by its name in {option}`boot.touchstone.agent.images`."; };
          } "An image, for Secure Boot. Exactly one of `authenticode`, `pcrPolicy` and `manifest` is given.";
        pcrPolicy = maybe
          {
            key = mkOption { type = types.str; example = "pcr"; description = "The key."; };
            image = mkOption { type = types.str; example = "system"; description = "What the image must be whose register 11 is computed and signed."; };
            banks = mkOption { type = types.listOf types.str; default = [ "sha256" ]; example = [ "sha256" "sha384" ]; description = "The banks of registers that may be asked for."; };
            phases = texts [ "enter-initrd" ] "The boot phases that may be asked for, each with those before it (`enter-initrd:leave-initrd`).";
            policyRefs = texts [ "fleet" ] "The policy references that may be asked for; without any, none may.";
          } "Values of register 11.";
        manifest = maybe
          {
            key = mkOption { type = types.str; example = "nix"; description = "The key."; };
            origin = part origin "Where each path of the manifest must come from.";
            classes = texts [ "kiosk" ] "The classes of machines for which a manifest may be signed as a whole.";
          } "Each path of a manifest, after it was hashed again in this machine's store.";
      });
    };
  };

  # The document, as the agent reads it. What names a secret is a text: a path value would copy the secret into the store.
  document = { keys, images, rules, grants, limits, log, ... }:
    let
      saidOf = secrets: value: said (removeAttrs value secrets) // mapAttrs (_: toString)
        (filterAttrs (name: one: builtins.elem name secrets && one != null) value);
    in
    {
      version = 1;
      keys = mapAttrs (_: saidOf [ "key" "passphraseFile" ]) keys;
      images = mapAttrs (_: said) images;
      rules = mapAttrsToList ruleOf rules;
      grants = said grants;
      limits = said limits;
      log = saidOf [ "checkpointKey" ] log;
    };
}
