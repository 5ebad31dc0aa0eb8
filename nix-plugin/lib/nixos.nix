# What Touchstone's functions need of a NixOS configuration, read from NixOS' own options. Made of builtins alone.
let
  inherit (builtins) attrNames any mapAttrs;

  systemOf = config: config.boot.kernelPackages.stdenv.hostPlatform.system;

  # Where systemd's programs for the firmware are, and how their names end.
  efiOf = config: "${config.systemd.package}/lib/systemd/boot/efi";
  archOf = config: { x86_64-linux = "x64"; aarch64-linux = "aa64"; i686-linux = "ia32"; riscv64-linux = "riscv64"; }.${systemOf config}
    or (throw "touchstone: systemd has no stub for ${systemOf config}");

  # The device tree that is to be used, `devicetree`, or else the folder from which a loader chooses one, `fdtdir`.
  deviceTreesOf = config:
    let
      tree = config.hardware.deviceTree;
    in
    if !tree.enable || tree.package == null then { }
    else if tree.name == null then { fdtdir = "${tree.package}"; }
    else { devicetree = "${tree.package}/${tree.name}"; };

  core = config:
    let
      inherit (config.system.build) toplevel;
      inherit (config.boot.kernelPackages) kernel;
      inherit (config.system) nixos;
    in
    {
      system = systemOf config;
      label = "${nixos.distroName or "NixOS"} ${nixos.codeName} ${nixos.label} (Linux ${kernel.modDirVersion})";
      kernel = "${kernel}/${config.system.boot.loader.kernelFile}";
      kernelParams = config.boot.kernelParams;
      initrds =
        if config.boot.initrd.enable
        then [ "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}" ]
        else [ ];
      init = "${toplevel}/init";
      toplevel = "${toplevel}";
    } // deviceTreesOf config;

  described = config: core config // { inherit (config.boot.bootspec) extensions; };

  # The fields of mkBootspec for `config` (the `config` of an evaluated NixOS system), its specialisations included.
  bootspecOf = config:
    let
      children = mapAttrs (_: specialisation: specialisation.configuration) config.specialisation;
      hasDeviceTrees = config: deviceTreesOf config != { };
    in
    described config // {
      specialisations = mapAttrs (_: described) children;
      # v1 has no place for device trees, and boots without.
      v1 = if any hasDeviceTrees ([ config ] ++ map (name: children.${name}) (attrNames children)) then "wherePossible" else "required";
    };

  # The options that put secrets into an initrd, by name: of the configuration and of its specialisations.
  initrdSecretsOf = config:
    let
      of = prefix: config: if config.boot.initrd.secrets == { } then [ ] else [ "${prefix}boot.initrd.secrets" ];
    in
    builtins.concatLists ([ (of "" config) ]
      ++ map (name: of "specialisation.${name}.configuration." config.specialisation.${name}.configuration) (attrNames config.specialisation));

  stubOf = config: "${efiOf config}/linux${archOf config}.efi.stub";
  loaderOf = config: "${efiOf config}/systemd-boot${archOf config}.efi";
in
{
  inherit bootspecOf deviceTreesOf initrdSecretsOf stubOf loaderOf;

  # The arguments of mkBootArtifacts for a NixOS system: its generation, its os-release, and the stub and loader of its systemd.
  bootArtifactsOf = config: {
    name = "${config.system.name}-boot-artifacts";
    bootspec = bootspecOf config;
    osRelease = { file = "${config.environment.etc."os-release".source}"; };
    stub = stubOf config;
    loader = loaderOf config;
  };
}
