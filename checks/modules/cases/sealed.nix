# Sealed generations: the wrapper, what is inside of it, and what it is asked to be.
{ lib, is, configOf, orphan, evaluates, files, package, ... }:

let
  certificate = files."db.pem";
  detached = { method = "detached"; inherit certificate; signatures = files."signatures"; };

  module = {
    boot.touchstone.signing = detached;
    boot.kernelParams = [ "quiet" ];
    specialisation = {
      rescue.configuration = { boot.kernelParams = [ "rescue" ]; boot.touchstone.uki.splash = files."logo.bmp"; };
      bare = orphan;
    };
  };
  sealing = { boot.touchstone.sealed.enable = true; };

  unsealed = configOf { imports = [ module { } ]; };
  config = configOf { imports = [ module sealing ]; };
  inherit (config.system.build) toplevel;
  inherit (toplevel) request inner;
  inherit (request) seal;
  innerHas = path: lib.hasInfix (builtins.unsafeDiscardStringContext path) (builtins.unsafeDiscardStringContext inner.buildCommand);

  pathOf = config: "${config.system.build.toplevel}";
  childrenOf = config: lib.mapAttrs (_: child: child.configuration) config.specialisation;
  sealedChild = (childrenOf config).rescue.system.build.toplevel;

  withSwitch = module: (configOf { imports = [{ boot.touchstone = { signing = detached; sealed.enable = true; }; } module]; }).system.build.toplevel.request.seal;

  broken = configOf { imports = [ module { boot.touchstone.sealed.enable = true; assertions = [{ assertion = false; message = "no"; }]; } ]; };
  brokenByInner = configOf {
    imports = [
      module
      { boot.touchstone.sealed.enable = true; }
      ({ config, ... }: {
        assertions = [{ assertion = config.boot.touchstone.sealed.enable; message = "no"; }];
      })
    ];
  };

  requestsOf = module: (configOf module).system.build.signingRequests.request.artifacts;
in
{
  "the toplevel is the sealed generation" = is [ "boot.artifacts" { "$output" = "out"; } ] [ request.operation seal.path ];
  "the builder is the program itself" = is [ "${package}/bin/touchstone" [ "builder" ] ] [ toplevel.builder toplevel.args ];
  "it is named after what it seals" = is "${inner.name}-sealed" toplevel.name;
  "what it seals is the system without sealing, byte for byte" = is (pathOf unsealed) "${inner}";
  "the kernel starts what is inside" = is [ "${inner}" "${inner}/init" ] [ request.bootspec.toplevel request.bootspec.init ];
  "its images are signed elsewhere" = is { inherit certificate; signatures = files."signatures"; } request.detached;
  "its manifest is that of the inner closure" = is [ "${inner}" ] toplevel.exportReferencesGraph.closure;

  "specialisations are sealed, each by its name" = is [ "bare" "rescue" ] (lib.attrNames seal.specialisations);
  "a specialisation is what its own configuration makes of it" = is "${sealedChild}" seal.specialisations.rescue;
  "and seals what the unsealed one is" = is (pathOf (childrenOf unsealed).rescue) "${sealedChild.inner}";
  "a specialisation is sealed by its own settings" = is [ files."logo.bmp" false ] [ sealedChild.request.splash (request ? splash) ];
  "one that inherits nothing is described by its own configuration" = is (pathOf (childrenOf unsealed).bare) request.bootspec.specialisations.bare.toplevel;
  "the inner toplevel links the inner specialisations" = is [ true true ]
    (map (name: innerHas "ln -s ${pathOf (childrenOf unsealed).${name}} ") [ "bare" "rescue" ]);
  "and no sealed one" = is [ ] (lib.filter (name: innerHas seal.specialisations.${name}) (lib.attrNames seal.specialisations));
  "a sealed specialisation has none of its own" = is { } (sealedChild.request.seal.specialisations);
  "artifacts beside the toplevel are of the same generation" = is request.bootspec config.system.build.bootArtifacts.request.bootspec;

  "switching starts NixOS' own program with the sealed path" = is
    {
      program = "${inner}/bin/.switch-to-configuration-wrapped";
      environment = {
        OUT = { "$sealed" = true; };
        TOPLEVEL = { "$sealed" = true; };
        DISTRO_ID = config.system.nixos.distroId;
        INSTALL_BOOTLOADER = "${config.system.build.installBootLoader}";
        LOCALE_ARCHIVE = "${config.i18n.glibcLocales}/lib/locale/locale-archive";
        PRE_SWITCH_CHECK = "${config.system.preSwitchChecksScript}";
        SYSTEMD = "${config.systemd.package}";
      };
    }
    seal.switch;
  "without locales, none are told" = is false ((withSwitch { i18n.glibcLocales = lib.mkForce null; }).switch.environment ? LOCALE_ARCHIVE);
  "what cannot be switched is not switched" = is [ false false ]
    [ (withSwitch { system.switch.enable = false; } ? switch) (withSwitch { system.activatable = false; } ? switch) ];

  "assertions hold for the sealed generation" = is false (evaluates broken.system.build.toplevel.drvPath);
  "and for what is inside" = is false (evaluates brokenByInner.system.build.toplevel.drvPath);
  "a sealed generation is valid" = is true (evaluates toplevel.drvPath);

  "requests cover every image of the sealed generation" = is (requestsOf { imports = [ module sealing ]; }).drvPath
    (requestsOf { imports = [ module sealing { boot.touchstone.signing.signatures = lib.mkForce "/not/there/yet"; } ]; }).drvPath;
  "they are made of the unsigned one" = is [ false [ "bare" "rescue" ] ]
    (let unsigned = (requestsOf { imports = [ module sealing ]; }).request; in [ (unsigned ? detached) (lib.attrNames unsigned.seal.specialisations) ]);
}
