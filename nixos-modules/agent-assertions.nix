# What the signing agent could not do, or should not: no module, but the assertions of ./agent.nix. What the policy itself must be is told by the
# agent, which reads it when the system is built.
{ config, lib }:

let
  inherit (lib) attrNames attrValues concatMap concatMapStringsSep count filter hasPrefix isString mapAttrsToList subtractLists unique;
  touchstone = config.boot.touchstone;
  cfg = touchstone.agent;
  named = name: "boot.touchstone.agent.${name}";
  quoted = concatMapStringsSep ", " (name: "\"${name}\"");

  secret = import ./secret-name.nix { inherit lib; };

  isUri = text: hasPrefix "pkcs11:" text || hasPrefix "tpm2:" text;
  namesOf = holds: filter (name: holds cfg.keys.${name}) (attrNames cfg.keys);
  isName = name: builtins.match "[A-Za-z0-9][A-Za-z0-9._-]{0,63}" name != null;
  misnamed = filter (name: !isName name) (attrNames cfg.keys);
  unplaced = namesOf (key: isString key.key && !isUri key.key && !hasPrefix "/" key.key);
  withPin = namesOf (key: isString key.key && lib.hasInfix "pin-value=" key.key);
  uncertified = namesOf (key: key.kind == "image" && key.certificate == null);
  halved = namesOf (key: key.kind == "pcr" && key.publicKey == null);

  # Exactly one of several.
  one = values: count (value: value != null && value != [ ]) values == 1;
  isOneRule = rule: one [ rule.derivations rule.users ];
  isOneOperation = operation: one [ operation.authenticode operation.pcrPolicy operation.manifest ];
  isOneImage = image: one [ image.uki image.loader image.addon ];
  unclear =
    map named (
      map (name: "images.${name}") (filter (name: !isOneImage cfg.images.${name}) (attrNames cfg.images))
      ++ map (name: "rules.${name}") (filter (name: !isOneRule cfg.rules.${name}) (attrNames cfg.rules))
      ++ map (name: "rules.${name}.operations") (filter (name: !lib.all isOneOperation cfg.rules.${name}.operations) (attrNames cfg.rules))
    );

  # What rules and images name, by where it should be.
  asked = field: kind: concatMap
    (rule: concatMap (operation: if operation.${kind} == null then [ ] else [ operation.${kind}.${field} ]) rule.operations)
    (attrValues cfg.rules);
  pcrKeys = concatMap (image: if image.uki == null then [ ] else image.uki.pcrKeys) (attrValues cfg.images);
  kindOf = name: cfg.keys.${name}.kind or null;
  strangers =
    map (name: "keys.${name}")
      (unique (concatMap ({ kind, names }: filter (name: kindOf name != kind) names) [
        { kind = "image"; names = asked "key" "authenticode"; }
        { kind = "pcr"; names = asked "key" "pcrPolicy" ++ pcrKeys; }
        { kind = "nix"; names = asked "key" "manifest"; }
      ]))
    ++ map (name: "images.${name}") (unique (subtractLists (attrNames cfg.images) (asked "image" "authenticode" ++ asked "image" "pcrPolicy")));

  inherit (config.nix) settings;
  sandbox = settings.sandbox or true;
  relative = filter (folder: !hasPrefix "/" folder) cfg.log.exports;
in
[
  {
    assertion = config.nix.enable;
    message = ''
      ${named "enable"}: there is no Nix in this configuration whose builds the agent could sign for. Write `nix.enable = true;`, or
      `${named "enable"} = false;`.'';
  }
  {
    assertion = sandbox != false;
    message = ''
      ${named "enable"}: `nix.settings.sandbox` is false, and Nix asks for a socket for builds in a sandbox alone: without one, all of them would
      see each other's. Write `nix.settings.sandbox = true;`.'';
  }
  {
    assertion = cfg.keys != { } && cfg.rules != { };
    message = ''
      ${named "rules"}: the agent would sign nothing, for it has no key or no rule. Write `${named "keys"}` and `${named "rules"}`, or
      `${named "enable"} = false;`.'';
  }
  {
    assertion = misnamed == [ ];
    message = ''
      ${named "keys"}: ${quoted misnamed} cannot be the name of a key. Write up to 64 letters, digits, dots, dashes and underscores, a letter or
      digit first.'';
  }
  {
    assertion = unplaced == [ ];
    message = ''
      ${named "keys"}: the key of ${quoted unplaced} is neither an absolute path nor a URI. Write the whole path, such as
      "/var/lib/keys/db.key", or "pkcs11:…" or "tpm2:…".'';
  }
  {
    assertion = withPin == [ ];
    message = ''
      ${named "keys"}: the URI of ${quoted withPin} holds a PIN (pin-value), and the policy lies in the store, where everybody can read it. Write
      `pin-source=/run/keys/pin` in its place, the name of a file outside of the store.'';
  }
  {
    assertion = uncertified == [ ];
    message = ''
      ${named "keys"}: ${quoted uncertified} signs images, and its certificate is not named. Write `certificate = ./keys/db.pem;`.'';
  }
  {
    assertion = halved == [ ];
    message = ''
      ${named "keys"}: ${quoted halved} signs values of register 11, and its public half is not named. Write `publicKey = ./keys/pcr.pub;`.'';
  }
  {
    assertion = unclear == [ ];
    message = ''
      ${lib.concatStringsSep ", " unclear}: what it is must be said once. Write exactly one of `uki`, `loader` and `addon` for an image,
      of `derivations` and `users` for a rule, and of `authenticode`, `pcrPolicy` and `manifest` for an operation.'';
  }
  {
    assertion = strangers == [ ];
    message = ''
      ${named "rules"}: ${concatMapStringsSep ", " named strangers} is asked for, and is not there, or signs something else. Write it, or another
      name into the rule.'';
  }
  {
    assertion = relative == [ ];
    message = ''
      ${named "log.exports"}: ${quoted relative} is no absolute path. Write the whole path of the folder.'';
  }
]
++ secret.assertions (named "log.checkpointKey") "a string, such as \"/var/lib/keys/touchstone-log.key\"" cfg.log.checkpointKey
++ concatMap lib.id (mapAttrsToList
  (name: key:
    secret.assertions (named "keys.${name}.key") "a string, such as \"/var/lib/keys/db.key\"" key.key
    ++ secret.assertions (named "keys.${name}.passphraseFile") "a string, such as \"/run/keys/pin\"" key.passphraseFile)
  cfg.keys)
