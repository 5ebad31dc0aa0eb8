# Who signs the boot loader and the unified kernel images for Secure Boot.
{ config, lib, ... }:

let
  inherit (lib) literalExpression mkIf mkOption types;
  cfg = config.boot.touchstone;
  inherit (cfg.signing) method key certificate signatures pinSource manifestKey;

  secret = import ./secret-name.nix { inherit lib; };
  named = name: "boot.touchstone.signing.${name}";
  inherit (builtins) isString;
  isText = isString key;
  isAgent = isText && lib.hasPrefix "agent:" key;
  isUri = isText && (lib.hasPrefix "pkcs11:" key || lib.hasPrefix "tpm2:" key) || isAgent;
  isFile = isText && lib.hasPrefix "/" key;
  inherit (secret) isAgentsName;
in
{
  options.boot.touchstone.signing = {
    method = mkOption {
      type = types.enum [ "none" "detached" "agent" "install" "test" ];
      default = "none";
      example = "detached";
      description = ''
        Who signs the boot loader and the unified kernel images.

        - `"none"`: nobody. Firmware that enforces Secure Boot will not start them.
        - `"detached"`: somebody elsewhere, who holds the key. `system.build.signingRequests` is a folder with what is to be signed;
          `touchstone boot sign` signs all of it by a key in a file, a PKCS#11 token or a TPM; the answers go into
          {option}`boot.touchstone.signing.signatures`. The build attaches them after verifying each, and needs no key.
        - `"agent"`: the signing agent of the machine that builds ({option}`boot.touchstone.agent.enable` there), while it builds. The build sees a
          socket and no key; the agent looks at what it is to sign, and signs what its policy allows. It needs
          {option}`boot.touchstone.signing.key` = `"agent:NAME"`.
        - `"install"`: the machine itself, when {option}`boot.loader.touchstone.enable` installs a generation, by
          {option}`boot.touchstone.signing.key`. What the build makes stays unsigned.
        - `"test"`: the build, by a test key that the sandbox shows. The key must be one of `touchstone keys generate --test`; a real
          key is refused, for it must not enter a build. Never trust a test key on a machine that matters.
      '';
    };

    key = mkOption {
      type = types.nullOr secret.type;
      default = null;
      example = "pkcs11:token=fleet;object=db";
      description = ''
        The name of the private key for the methods `"agent"`, `"install"` and `"test"`; the key itself never becomes part of the configuration.

        It is the absolute path of a file outside of the Nix store (a string, not a Nix path), or, for `"install"`, the URI of a key in a
        PKCS#11 token (`pkcs11:…`) or in a TPM (`tpm2:…`). `agent:NAME` is the key that the signing agent knows by that name: the agent of the
        builder for `"agent"`, the one of the machine for `"install"`. For `"test"` the sandbox of the build must show the file, by Nix'
        setting `extra-sandbox-paths`.
      '';
    };

    manifestKey = mkOption {
      type = types.nullOr secret.type;
      default = null;
      example = "agent:nix";
      description = ''
        The name of the key of Nix by which the build signs the manifest that is among the boot artifacts, for the methods `"agent"`
        (`agent:NAME`) and `"test"` (the absolute path of a test key). A sealed generation with
        {option}`boot.initrd.verify.enable` needs no other signatures then. Null: the manifest is not signed by the build.
      '';
    };

    certificate = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = literalExpression "./db.pem";
      description = ''
        The certificate of the key, PEM or DER. It is public, and is copied into the store. Certificates after the first go into each
        signature, as its chain. Every method but `"none"` needs it; predictions of PCR 7 use it to find the entry of `db` by which
        the firmware will accept the images.
      '';
    };

    pinSource = mkOption {
      type = types.nullOr secret.type;
      default = null;
      example = "/run/keys/token-pin";
      description = ''
        The absolute path of the file whose first line is the PIN of the token, or the passphrase of an encrypted key file, for the method
        `"install"`; of a key in a TPM its authorization value. It lies outside of the Nix store. When it is null, none is needed, or the
        URI in {option}`boot.touchstone.signing.key` says where it comes from (`pin-source`, `auth-source`); to say it in both places is an
        error.
      '';
    };

    signatures = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = literalExpression "./signatures";
      description = ''
        The folder with the signatures for the method `"detached"`, as `touchstone boot sign` makes it: for each image the files
        `<digest>.signed-data` and `<digest>.signature`, of which `<digest>` is the image's Authenticode SHA-256 digest in hex. They hold no
        secret and are small: keep the folder in the repository of the configuration. It need not exist to build
        `system.build.signingRequests`. An image whose signature is missing fails the build with the name of the file that is wanted.
      '';
    };
  };

  config = mkIf cfg.enable {
    assertions =
      secret.assertions (named "key") "a string, such as \"/var/lib/touchstone/db.key\" or \"pkcs11:token=fleet;object=db\"" key
      ++ secret.assertions (named "pinSource") "a string, such as \"/run/keys/token-pin\"" pinSource
      ++ secret.assertions (named "manifestKey") "a string, such as \"agent:nix\"" manifestKey
      ++ [
        {
          assertion = !isText || isUri || isFile;
          message = ''
            ${named "key"}: "${toString key}" is neither an absolute path nor a `pkcs11:`, `tpm2:` or `agent:` name, so that it would depend on
            the place where it is used. Write the whole path, such as "/var/lib/touchstone/db.key", or the name.'';
        }
        {
          assertion = !isText || !lib.hasInfix "pin-value=" key;
          message = ''
            ${named "key"}: the URI holds a PIN (pin-value), which would be readable in the store. Take it out, and write
            `${named "pinSource"} = "/run/keys/token-pin";`.'';
        }
        {
          assertion = !isString pinSource || lib.hasPrefix "/" pinSource;
          message = ''
            ${named "pinSource"}: "${toString pinSource}" is no absolute path. Write the whole path of the file that holds the PIN, such as
            "/run/keys/token-pin".'';
        }
        {
          assertion = pinSource == null || !isText || builtins.match ".*(pin|auth)-source=.*" key == null;
          message = ''
            ${named "pinSource"}: ${named "key"} says already where the PIN comes from. Take `pin-source` or `auth-source` out of
            the URI, or write `${named "pinSource"} = null;`.'';
        }
        {
          assertion = pinSource == null || !isAgent;
          message = ''
            ${named "pinSource"}: ${named "key"} is a key of the signing agent, which knows its secret by itself. Write
            `${named "pinSource"} = null;`.'';
        }
        {
          assertion = method == "agent" -> isAgentsName key;
          message = ''
            ${named "key"}: the method is "agent", and what is named is no key of the signing agent in the place where a build finds it. Write
            `${named "key"} = "agent:db";`, with the name that the key has in the agent's policy.'';
        }
        {
          assertion = !isAgent || builtins.elem method [ "agent" "install" ];
          message = ''
            ${named "key"}: the key is one of the signing agent, and the method "${method}" does not ask it. Write
            `${named "method"} = "agent";`, or `"install"` where the machine's own agent signs.'';
        }
        {
          assertion = manifestKey == null || builtins.isPath manifestKey
          || (if method == "agent" then isAgentsName manifestKey else method == "test" && lib.hasPrefix "/" manifestKey);
          message = ''
            ${named "manifestKey"}: with the method "${method}", no build signs a manifest by this key. Write
            `${named "method"} = "agent";` and `${named "manifestKey"} = "agent:nix";`, or of a test key, with the method "test", the whole path,
            such as "/keys/nix.key", or take the key away.'';
        }
        {
          assertion = method == "detached" -> signatures != null;
          message = ''
            ${named "signatures"}: the method is "detached", and no folder with signatures is named. Write
            `${named "signatures"} = ./signatures;`, build `system.build.signingRequests`, and fill the folder with
            `touchstone boot sign`.'';
        }
        {
          assertion = method == "none" || certificate != null;
          message = ''
            ${named "certificate"}: the method is "${method}", and the certificate of the key is not named. Write
            `${named "certificate"} = ./db.pem;`.'';
        }
        {
          assertion = method == "install" -> key != null;
          message = ''
            ${named "key"}: the method is "install", and no key is named. Write `${named "key"} = "tpm2:…";`, a `pkcs11:` or `agent:` name,
            or the absolute path of a file on the machine.'';
        }
        {
          assertion = method == "test" -> isFile || (key != null && !isUri);
          message = ''
            ${named "key"}: the method is "test", for which a build reads the file of a test key; tokens and TPMs are out of its reach.
            Write `${named "key"} = "/absolute/path/of/test.key";` and show that path to the sandbox, or take another method.'';
        }
        {
          assertion = signatures == null || method == "detached";
          message = ''
            ${named "signatures"}: signatures are given, and the method "${method}" does not use them. Write
            `${named "method"} = "detached";`, or take the signatures away.'';
        }
      ];

    warnings = lib.optional (method == "test") ''
      ${named "method"} is "test": the boot images are signed by a test key, which is not kept secret. Do not enroll its certificate on a
      machine that matters.''
    ++ lib.optional (method == "install" && !config.boot.loader.touchstone.enable) ''
      ${named "method"} is "install", and boot.loader.touchstone.enable is not true: nobody signs. The boot artifacts of this configuration are
      unsigned.'';
  };
}
