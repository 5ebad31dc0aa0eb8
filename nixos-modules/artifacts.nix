# The boot artifacts of a generation beside its toplevel, and what is to be signed of them elsewhere.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkIf mkOption types;
  cfg = config.boot.touchstone;

  generation = import ./generation.nix { inherit lib pkgs; inherit (cfg) package; };
  inherit (generation) artifactsOf mkBootArtifacts mkSigningRequests sealedOf unsignedArtifactsOf unsignedPolicyOf;

  # A specialisation that is sealed may have settings of its own, by which its images differ.
  unsigned = argumentsOf: if cfg.sealed.enable then sealedOf argumentsOf cfg cfg.booted else mkBootArtifacts (argumentsOf cfg cfg.booted);
in
{
  options.system.build = {
    bootArtifacts = mkOption {
      type = types.package;
      readOnly = true;
      description = ''
        The boot artifacts of this configuration and its specialisations, in one folder: unified kernel images, boot loader, `boot.json`,
        manifest, and what is predicted. It exists where {option}`boot.touchstone.enable` and {option}`boot.touchstone.uki.enable` are
        true.
      '';
    };
    signingRequests = mkOption {
      type = types.package;
      readOnly = true;
      description = ''
        A folder with what is to be signed elsewhere for this configuration and its specialisations, a file for each image.
        `touchstone boot sign` signs all of it, and its answer is what {option}`boot.touchstone.signing.signatures` takes. It needs
        {option}`boot.touchstone.signing.certificate`, and no key.
      '';
    };
    policyRequests = mkOption {
      type = types.package;
      readOnly = true;
      description = ''
        A folder with what is to be signed elsewhere of register 11, for this configuration and its specialisations.
        `touchstone boot sign --pcr-private-key` signs all of it, and its answer is what
        {option}`boot.touchstone.measuredBoot.policy.signatures` takes; only then is `system.build.signingRequests` complete. It needs
        {option}`boot.touchstone.measuredBoot.policy.publicKey`, and no key.
      '';
    };
  };

  config.system.build = mkIf (cfg.enable && cfg.uki.enable) {
    bootArtifacts = mkBootArtifacts (artifactsOf cfg cfg.booted);
    signingRequests = mkSigningRequests {
      name = "${config.system.name}-signing-requests";
      artifacts = unsigned unsignedArtifactsOf;
      inherit (cfg.signing) certificate;
    };
    policyRequests = mkSigningRequests {
      name = "${config.system.name}-policy-requests";
      artifacts = unsigned unsignedPolicyOf;
      pcrs = { inherit (cfg.measuredBoot.policy) publicKey; };
    };
  };
}
