# The assertions about the signing agent, and about who asks it: as in ../assertions.nix.
{ lib, files, agent, ... }:

let
  inherit (lib) mkForce;
  says = "boot.touchstone.agent.";
  certificate = files."db.pem";
  with' = settings: { imports = [ agent ]; boot.touchstone.agent = settings; };
  touchstone = settings: { boot.touchstone = settings; };
  byAgent = { method = "agent"; key = "agent:db"; inherit certificate; };
  key = settings: with' { keys.extra = { kind = "image"; key = "/keys/extra.key"; inherit certificate; } // settings; };
  rule = settings: with' { rules.extra = { users = [ "root" ]; operations = [ settings ]; }; };
in
{
  "an agent's key that a build would look for elsewhere" = {
    broken = touchstone { signing = byAgent // { key = "agent:db?socket=/run/other"; }; };
    says = "boot.touchstone.signing.key: the method is \"agent\", and what is named is no key";
    mended = touchstone { signing.key = mkForce "agent:db"; };
  };
  "an agent's key that nobody asks for" = {
    broken = touchstone { signing = { key = "agent:db"; }; };
    says = "boot.touchstone.signing.key: the key is one of the signing agent, and the method \"none\"";
    mended = touchstone { signing = mkForce byAgent; };
  };
  "a PIN for the agent" = {
    broken = touchstone { signing = byAgent // { pinSource = "/run/keys/pin"; }; };
    says = "boot.touchstone.signing.pinSource: boot.touchstone.signing.key is a key of the signing agent";
    mended = touchstone { signing.pinSource = mkForce null; };
  };
  "a manifest's key that no build uses" = {
    broken = touchstone { signing = byAgent // { manifestKey = "/keys/nix.key"; }; };
    says = "boot.touchstone.signing.manifestKey: with the method \"agent\", no build";
    mended = touchstone { signing.manifestKey = mkForce "agent:nix"; };
  };
  "a manifest's test key by a relative path" = {
    broken = touchstone { signing = { method = "test"; key = "/keys/db.key"; inherit certificate; manifestKey = "keys/nix.key"; }; };
    says = "boot.touchstone.signing.manifestKey: with the method \"test\", no build";
    mended = touchstone { signing.manifestKey = mkForce "/keys/nix.key"; };
    more = true;
  };
  "a manifest's key as Nix path" = {
    broken = touchstone { signing = { method = "test"; key = "/keys/db.key"; inherit certificate; manifestKey = ./agent.nix; }; };
    says = "boot.touchstone.signing.manifestKey: the value is a Nix path";
    mended = touchstone { signing.manifestKey = mkForce "/keys/nix.key"; };
  };
  "a manifest's key in the store" = {
    broken = touchstone { signing = { method = "test"; key = "/keys/db.key"; inherit certificate; manifestKey = "${files."db.pem"}"; }; };
    says = "boot.touchstone.signing.manifestKey: the secret lies in the store";
    mended = touchstone { signing.manifestKey = mkForce "/keys/nix.key"; };
  };
  "a policy whose public half the build does not have" = {
    broken = touchstone { signing = byAgent; measuredBoot = { enable = true; policy = { enable = true; key = "agent:pcr"; }; }; };
    says = "boot.touchstone.measuredBoot.policy.key: the signing agent signs register 11";
    mended = touchstone { measuredBoot.policy.publicKey = files."pcr.pem"; };
  };
  "the agent's key for a policy as Nix path" = {
    broken = touchstone { signing = byAgent; measuredBoot = { enable = true; policy = { enable = true; key = ./agent.nix; }; }; };
    says = "boot.touchstone.measuredBoot.policy.key: the value is a Nix path";
    mended = touchstone { measuredBoot.policy = { key = mkForce "agent:pcr"; publicKey = files."pcr.pem"; }; };
    more = true;
  };

  "an agent where there is no Nix" = {
    broken = { imports = [ agent ]; nix.enable = false; };
    says = "${says}enable: there is no Nix";
    mended = { nix.enable = mkForce true; };
  };
  "an agent for builds without a sandbox" = {
    broken = { imports = [ agent ]; nix.settings.sandbox = false; };
    says = "${says}enable: `nix.settings.sandbox` is false";
    mended = { nix.settings.sandbox = mkForce true; };
  };
  "an agent that signs nothing" = {
    broken = touchstone { agent.enable = true; };
    says = "${says}rules: the agent would sign nothing";
    mended = agent;
  };
  "an agent's key of an impossible name" = {
    broken = with' { keys."db key" = { kind = "nix"; key = "/keys/nix.key"; }; };
    says = "${says}keys: \"db key\" cannot be the name";
    mended = touchstone { agent.keys = mkForce { db = { kind = "image"; key = "/keys/db.key"; inherit certificate; }; nix = { kind = "nix"; key = "/keys/nix.key"; }; }; };
  };
  "an agent's key by a relative path" = {
    broken = key { key = "keys/db.key"; };
    says = "${says}keys: the key of \"extra\" is neither";
    mended = touchstone { agent.keys.extra.key = mkForce "tpm2:handle=0x81010001"; };
  };
  "an agent's PIN inside of a URI" = {
    broken = key { key = "pkcs11:token=fleet?pin-value=1234"; };
    says = "${says}keys: the URI of \"extra\" holds a PIN";
    mended = touchstone { agent.keys.extra.key = mkForce "pkcs11:token=fleet?pin-source=/run/keys/pin"; };
  };
  "an agent's key without a certificate" = {
    broken = key { certificate = null; };
    says = "${says}keys: \"extra\" signs images, and its certificate";
    mended = touchstone { agent.keys.extra.certificate = mkForce certificate; };
  };
  "an agent's key for registers without its public half" = {
    broken = with' { keys.extra = { kind = "pcr"; key = "/keys/pcr.key"; }; };
    says = "${says}keys: \"extra\" signs values of register 11";
    mended = touchstone { agent.keys.extra.publicKey = files."pcr.pem"; };
  };
  "an agent's rule for builds and for users" = {
    broken = with' { rules.extra = { users = [ "root" ]; derivations.names = [ "web-*" ]; operations = [ ]; }; };
    says = "${says}rules.extra: what it is must be said once";
    mended = touchstone { agent.rules.extra.users = mkForce [ ]; };
  };
  "an agent's rule for a key of another kind" = {
    broken = rule { manifest.key = "db"; };
    says = "${says}rules: boot.touchstone.agent.keys.db is asked for, and is not there, or signs something else";
    mended = touchstone { agent.rules.extra = mkForce { users = [ "root" ]; }; };
  };
  "an agent's log that is exported to nowhere" = {
    broken = with' { log.exports = [ "checkpoints" ]; };
    says = "${says}log.exports: \"checkpoints\" is no absolute path";
    mended = touchstone { agent.log.exports = mkForce [ "/mnt/checkpoints" ]; };
  };
  "the key of an agent's log as Nix path" = {
    broken = with' { log.checkpointKey = ./agent.nix; };
    says = "${says}log.checkpointKey: the value is a Nix path";
    mended = touchstone { agent.log.checkpointKey = mkForce "/keys/log.key"; };
  };
  "the key of an agent's log in the store" = {
    broken = with' { log.checkpointKey = "${files."db.pem"}"; };
    says = "${says}log.checkpointKey: the secret lies in the store";
    mended = touchstone { agent.log.checkpointKey = mkForce "/keys/log.key"; };
  };
  "an agent's key as Nix path" = {
    broken = with' { keys.db.key = mkForce ./agent.nix; };
    says = "${says}keys.db.key: the value is a Nix path";
    mended = touchstone { agent.keys.db.key = lib.mkOverride 40 "/keys/db.key"; };
  };
  "an agent's key in the store" = {
    broken = with' { keys.db.key = mkForce "${files."db.pem"}"; };
    says = "${says}keys.db.key: the secret lies in the store";
    mended = touchstone { agent.keys.db.key = lib.mkOverride 40 "/keys/db.key"; };
  };
  "an agent's passphrase as Nix path" = {
    broken = with' { keys.db.passphraseFile = ./agent.nix; };
    says = "${says}keys.db.passphraseFile: the value is a Nix path";
    mended = touchstone { agent.keys.db.passphraseFile = mkForce "/run/keys/pin"; };
  };
  "an agent's passphrase in the store" = {
    broken = with' { keys.db.passphraseFile = "${files."db.pem"}"; };
    says = "${says}keys.db.passphraseFile: the secret lies in the store";
    mended = touchstone { agent.keys.db.passphraseFile = mkForce "/run/keys/pin"; };
  };
}
