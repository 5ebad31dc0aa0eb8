# The generations of the boot checks: two, the second with a specialisation, each with kernel, initrd, init and closure made by Nix.
# (They are generations in all that concerns booting; a whole NixOS needs nixpkgs.) `artifacts` has their boot artifacts beside them,
# `sealed` the second one and its specialisation as sealed generations, `evaluated` what all three will measure. Nothing but builtins and the given paths:
#
#   touchstone, probe   store paths or folders with bin/touchstone and bin/touchstone-probe, statically linked
#   kernel              an x86-64 kernel image with an EFI stub
#   stub, loader        systemd's linuxx64.efi.stub and systemd-bootx64.efi
#   certificate, key    who signs: a certificate file, and the path of its test key as the sandbox shows it (a string); or null
#   secureBoot          { PK, KEK, db }: signature lists (ESL), as they are enrolled; or null: then PCRs 4 and 7 are not predicted
#   enforced            whether the firmware of the predictions enforces signatures
#   manifestKey         the path of a Nix signing key as the sandbox shows it, or null
#   extraParams         more kernel parameters of generation 2
#   signatures          a folder of signatures by the certificate that were made elsewhere, in the place of `key`; or null
#   disk                { modules, root, esp }: kernel modules that an initrd loads, and the devices of a system on a disk; or null
#   verified            what checks/verified.nix is given; or null
#   installation        what the toplevels of machines that remember have as touchstone/install.json, with this loader; or null
{ touchstone
, probe
, kernel
, stub
, loader
, certificate ? null
, key ? null
, secureBoot ? null
, enforced ? true
, manifestKey ? null
, extraParams ? [ ]
, signatures ? null
, disk ? null
, installation ? null
, verified ? null
, system ? "x86_64-linux"
}:

let
  lib = import ../nix-plugin/lib { inherit touchstone system; };

  # One file as a store path of its own. A string names what is in the store already, or what a build will put there.
  file = name: path: if builtins.isPath path then builtins.path { inherit name path; } else path;

  probed = name: attributes: derivation (attributes // {
    inherit name system;
    builder = "${probe}/bin/touchstone-probe";
    __structuredAttrs = true;
  });

  linux = file "linux.efi" kernel;

  # What switch-to-configuration is told beside its own generation, which is $out in NixOS' wrapper of it.
  environment =
    let recorders = probed "recorders" { mode = "recorders"; program = "${probe}/bin/touchstone-probe"; };
    in {
      DISTRO_ID = "touchstone-check";
      INSTALL_BOOTLOADER = "${recorders}/bin/install-boot-loader";
      PRE_SWITCH_CHECK = "${recorders}/bin/pre-switch-check";
      SYSTEMD = "${probe}";
    };

  # What an initrd does beside reporting, when the system goes on behind it.
  onDisk = if disk == null then { } else {
    modules = map (path: file (baseNameOf path) path) disk.modules;
    disk = { inherit (disk) root esp; };
  };

  core = { generation, label, extraParams ? [ ], specialisations ? { }, switches ? true, behind ? { }, installation ? null }: rec {
    inherit label system;
    kernel = linux;
    kernelParams = [ "console=ttyS0" "panic=-1" "oops=panic" "touchstone.generation=${generation}" ] ++ extraParams;
    initrds = [ "${probed "initrd-${generation}" ({ mode = "initrd"; inherit generation; } // behind)}/initrd" ];
    init = "${toplevel}/init";
    toplevel = "${probed "touchstone-system-${generation}" {
      mode = "toplevel";
      kernel = linux;
      initrd = builtins.head initrds;
      init = "${probe}/bin/touchstone-probe";
      nixosVersion = label;
      specialisations = builtins.mapAttrs (_: specialisation: specialisation.toplevel) specialisations;
      bootspec = {
        initrdSecrets = "${probe}/bin/touchstone-probe";
        extensions."org.nixos.systemd-boot" = { sortKey = "touchstone-check"; };
      };
      switch = if switches then environment else null;
      inherit installation kernelParams system;
    }}";
  };

  rescue = core {
    generation = "2-rescue";
    label = "Touchstone check, generation 2 (rescue)";
    extraParams = [ "touchstone.rescue" ];
  };

  bootspecs = {
    generation1 = core { generation = "1"; label = "Touchstone check, generation 1"; };
    generation2 = core
      {
        generation = "2";
        label = "Touchstone check, generation 2";
        specialisations = { inherit rescue; };
        inherit extraParams;
      } // { specialisations = { inherit rescue; }; };
  };

  # A generation of a machine that remembers: its system is on a disk, and activated by no program.
  remembered = generation: attributes: core ({
    inherit generation;
    label = "Touchstone check, generation ${generation}";
    extraParams = [ "no_timer_check" ];
    switches = false;
    behind = onDisk;
    installation = if installation == null then null else installation // { loader.image = file "loader.efi" loader; };
  } // attributes);

  osRelease = ''
    ID=touchstone-check
    NAME="Touchstone check"
    PRETTY_NAME="Touchstone check"
    VERSION_ID=1
  '';

  # Short, because the stub of systemd 252 has room for little.
  sbat = ''
    sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md
    touchstone-check,1,-,-,-,-
  '';

  # What goes into the boot artifacts of a generation.
  described = bootspec: {
    inherit bootspec osRelease manifestKey;
    sbat = [ sbat ];
    stub = file "stub.efi" stub;
    loader = file "loader.efi" loader;
    # The machines that boot these have loader/boot-secret-mixin on their ESP.
    measure = { withoutBootSecret = true; } // (
      if secureBoot == null then { pcrs = [ 9 11 12 ]; }
      else { secureBoot = builtins.mapAttrs (name: file "${name}.esl") secureBoot // { enabled = enforced; }; }
    );
  } // (
    if signatures != null then { detached = { inherit signatures; certificate = file "db.pem" certificate; }; }
    else if key != null then { sign = { inherit key; certificate = file "db.pem" certificate; }; }
    else { }
  );

  sealedOf = bootspec: specialisations: lib.mkSealedGeneration (described bootspec // {
    inherit specialisations;
    withoutInitrdSecrets = true;
    switch = {
      program = "${bootspec.toplevel}/bin/.switch-to-configuration-wrapped";
      environment = environment // { OUT = { "$sealed" = true; }; TOPLEVEL = { "$sealed" = true; }; };
    };
  });

  # The same of one that is activated by no program.
  sealedOnDisk = bootspec: specialisations: lib.mkSealedGeneration (described bootspec // {
    inherit specialisations;
    withoutInitrdSecrets = true;
  });

  artifacts = builtins.mapAttrs
    (name: bootspec: lib.mkBootArtifacts (described bootspec // { name = "${name}-boot-artifacts"; }))
    bootspecs;

  sealed = rec {
    rescue = sealedOf bootspecs.generation2.specialisations.rescue { };
    generation2 = sealedOf bootspecs.generation2 { inherit rescue; };
  };
in
{
  inherit artifacts bootspecs described environment lib sealed;
  # What machines will measure of them, computed while Nix evaluates (docs/plugin.md), and through which door.
  evaluated =
    let
      predict = folder: lib.values.predictPcrs {
        loader = "${folder}/loader.efi";
        entries = [{ name = "the UKI uki.efi"; uki = "${folder}/uki.efi"; }];
        inherit (described { }) measure;
      };
    in
    {
      inherit (lib.values) door;
      predicted = {
        "1" = predict artifacts.generation1;
        "2" = predict "${sealed.generation2}/touchstone";
        "2-rescue" = predict "${sealed.rescue}/touchstone";
      };
    };
  # Generations whose stage 1 is systemd's, and verifies what follows.
  verified = import ./verified.nix ({ inherit described file lib linux manifestKey osRelease probe probed system; } // verified);
  # Generations of one machine; the second has a specialisation.
  onDisk =
    let
      rescue = remembered "2-rescue" { extraParams = [ "no_timer_check" "touchstone.rescue" ]; };
      generation2 = remembered "2" { specialisations = { inherit rescue; }; } // { specialisations = { inherit rescue; }; };
    in
    {
      generation1 = sealedOnDisk (remembered "1" { }) { };
      generation2 = sealedOnDisk generation2 { rescue = sealedOnDisk rescue { }; };
      generation3 = sealedOnDisk (remembered "3" { }) { };
    };
}
