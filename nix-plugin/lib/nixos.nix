# What Touchstone's functions need of a NixOS configuration, read from NixOS' own options. Made of builtins alone.
let
  inherit (builtins) mapAttrs;

  # The fields of mkBootspec for `config` (the `config` of an evaluated NixOS system), its specialisations included.
  bootspecOf = config: core config // {
    specialisations = mapAttrs (_: specialisation: core specialisation.configuration)
      (config.specialisation or { });
  };

  core = config:
    let
      inherit (config.system.build) toplevel;
      inherit (config.boot.kernelPackages) kernel;
    in
    {
      system = config.nixpkgs.hostPlatform.system or kernel.stdenv.hostPlatform.system;
      label = "NixOS ${config.system.nixos.codeName} ${config.system.nixos.label} (Linux ${kernel.modDirVersion})";
      kernel = "${kernel}/${config.system.boot.loader.kernelFile}";
      kernelParams = config.boot.kernelParams;
      initrds = [ "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}" ];
      init = "${toplevel}/init";
      toplevel = "${toplevel}";
    };
in
{
  inherit bootspecOf;

  # The arguments of mkBootArtifacts for a NixOS system: its generation, its os-release, and the stub and loader of its systemd.
  bootArtifactsOf = config:
    let
      systemd = "${config.systemd.package}/lib/systemd/boot/efi";
      arch = { x86_64-linux = "x64"; aarch64-linux = "aa64"; i686-linux = "ia32"; riscv64-linux = "riscv64"; }.${(core config).system};
    in
    {
      name = "${config.system.name}-boot-artifacts";
      bootspec = bootspecOf config;
      osRelease = { file = "${config.environment.etc."os-release".source}"; };
      stub = "${systemd}/linux${arch}.efi.stub";
      loader = "${systemd}/systemd-boot${arch}.efi";
    };
}
