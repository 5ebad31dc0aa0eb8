# What the options ask of Touchstone's functions: no module, but functions for those that make derivations. `settings` is
# `config.boot.touchstone` of a configuration, `config` the one that is to be booted (of a sealed one, the inner).
{ lib, pkgs, package }:

let
  inherit (lib) filterAttrs mapAttrs mapAttrsToList optionalAttrs versionAtLeast;

  nixos = import ../nix-plugin/lib/nixos.nix;
  touchstone = import ../nix-plugin/lib { touchstone = package; system = pkgs.stdenv.buildPlatform.system; };

  # What is started on the machine that boots; `package` is for the one that builds.
  launcher = optionalAttrs (pkgs.stdenv.buildPlatform.system != pkgs.stdenv.hostPlatform.system) {
    launcher = "${pkgs.touchstone or (throw ''
      boot.touchstone.sealed.enable: a machine of another kind than the one that builds needs its own launcher. Add the `overlays.default`
      of Touchstone's flake to `nixpkgs.overlays`.'')}/bin/touchstone-launcher";
  };

  # An empty list is as good as none.
  orNull = list: if list == [ ] then null else list;

  shimOf = settings: if settings.measuredBoot.bootPath.shim == null then null else { image = settings.measuredBoot.bootPath.shim; };

  profilesOf = settings: mapAttrsToList (id: profile: { inherit id; inherit (profile) title kernelParams; }) settings.uki.profiles;

  sectionsOf = settings: mapAttrsToList
    (name: section: {
      inherit name;
      content = if section.text != null then section.text else { file = "${section.source}"; };
    })
    settings.uki.extraSections;

  # The initrd of systemd 262 and newer extends most registers once more before anything is unlocked.
  drawsLine = initrd: initrd.enable && initrd.systemd.enable && versionAtLeast initrd.systemd.package.version "262";

  # Whether signatures are part of the images that a build makes.
  isSigned = settings: builtins.elem settings.signing.method [ "detached" "agent" "test" ];

  secureBootOf = settings:
    let
      variables = settings.measuredBoot.secureBootVariables;
      certificate = if isSigned settings then null else settings.signing.certificate;
    in
    if variables == null then null
    else filterAttrs (_: value: value != null) (variables // { inherit certificate; });

  measureOf = settings: config:
    if !settings.measuredBoot.enable then null
    else
      filterAttrs (_: value: value != null) {
        inherit (settings.measuredBoot) pcrs;
        secureBoot = secureBootOf settings;
        osSeparator = drawsLine config.boot.initrd;
      };

  # Signatures of PCR 11 are part of the images.
  pcrSignOf = settings:
    let
      inherit (settings.measuredBoot) policy;
      keys = {
        test = [{ inherit (policy) key publicKey; }];
        agent = [{ inherit (policy) key publicKey; }];
        detached = [{ inherit (policy) publicKey signatures; }];
      }.${settings.signing.method} or null;
    in
    if !policy.enable || keys == null then null else { inherit keys; };

  signersOf = settings:
    let
      inherit (settings.signing) method key certificate signatures;
    in
    optionalAttrs (builtins.elem method [ "agent" "test" ]) { sign = { inherit key certificate; }; }
    // optionalAttrs (method == "detached") { detached = { inherit certificate signatures; }; };

  # Who signs the manifest. One for a class of machines is signed as a whole, before it is published with the rest.
  manifestOf = settings: config:
    let
      key = settings.signing.manifestKey;
      class = if config.boot.initrd.verify.enable or false then config.boot.initrd.verify.manifest.class else null;
      inherit (config.system.build) toplevel;
      # Named after the system, as the sealed generation is: by its name a rule of the signing agent admits it (docs/agent.md).
      named = "${toplevel.name}-manifest";
      manifest = touchstone.mkManifest { name = "${named}-unsigned.json"; inherit toplevel class; };
    in
    if key == null then { }
    else if class == null then { manifestKey = key; }
    else { manifest = touchstone.signManifest { name = "${named}.json"; inherit manifest key; }; };

  # The arguments of mkBootArtifacts but for who signs and what is predicted: they decide which bytes are to be signed.
  unsignedArtifactsOf = settings: config: nixos.bootArtifactsOf config // {
    inherit (settings.uki) stub splash;
    inherit (settings.measuredBoot.bootPath) loader;
    shim = shimOf settings;
    profiles = orNull (profilesOf settings);
    shareSpecialisations = if settings.uki.shareSpecialisations then true else null;
    sections = orNull (sectionsOf settings);
    pcrSign = pcrSignOf settings;
    # What the initrd is to verify stands in the image; the manifest is signed when the system is built, and carried another way.
    verify =
      let cfg = config.boot.initrd.verify;
      in if !(config.boot.initrd.verify.enable or false) then null
      else if cfg.manifest.carrier == "esp" then { carrier = "esp"; } else { };
  };

  # A specialisation has settings of its own, unless it takes nothing from its parent (`inheritParentConfig = false`) and does not ask for
  # Touchstone itself: then its parent's hold.
  settingsOf = parent: child: if child.boot.touchstone.enable or false then child.boot.touchstone else parent;

  # How NixOS calls its switch-to-configuration, with the path of the sealed generation in the place of the inner one.
  switchOf = config:
    if !config.system.switch.enable || !config.system.activatable then null
    else {
      program = "${config.system.build.toplevel}/bin/.switch-to-configuration-wrapped";
      environment = {
        OUT = { "$sealed" = true; };
        TOPLEVEL = { "$sealed" = true; };
        DISTRO_ID = config.system.nixos.distroId;
        INSTALL_BOOTLOADER = "${config.system.build.installBootLoader}";
        PRE_SWITCH_CHECK = "${config.system.preSwitchChecksScript}";
        SYSTEMD = "${config.systemd.package}";
      } // optionalAttrs (config.i18n.glibcLocales != null) {
        LOCALE_ARCHIVE = "${config.i18n.glibcLocales}/lib/locale/locale-archive";
      };
    };
in
{
  inherit isSigned profilesOf sectionsOf settingsOf unsignedArtifactsOf;

  # Those that decide what is to be signed of PCR 11.
  unsignedPolicyOf = settings: config: unsignedArtifactsOf settings config // {
    pcrSign = null;
    pcrpkey = settings.measuredBoot.policy.publicKey;
  };

  # The arguments of mkBootArtifacts.
  artifactsOf = settings: config: unsignedArtifactsOf settings config // signersOf settings // manifestOf settings config // {
    measure = measureOf settings config;
  };

  inherit (touchstone) mkBootArtifacts mkSigningRequests;

  # The sealed generation around `config`, which is not sealed itself. `argumentsOf` is `artifactsOf` or `unsignedArtifactsOf`.
  sealedOf = argumentsOf:
    let
      seal = settings: config: touchstone.mkSealedGeneration (argumentsOf settings config // launcher // {
        name = null;
        inner = config.system.build.toplevel;
        specialisations = mapAttrs (_: { configuration, ... }: seal (settingsOf settings configuration) configuration) config.specialisation;
        switch = switchOf config;
        # NixOS names the program that appends secrets also where there are none.
        withoutInitrdSecrets = config.boot.initrd.secrets == { };
      });
    in
    seal;
}
