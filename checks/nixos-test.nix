# A NixOS that boots its sealed generation under Secure Boot with a TPM, for people who can build NixOS:
#
#   nix build .#checks.x86_64-linux.nixos-test
#
# No private key is in the store. `signed` makes test keys in the sandbox of its build, signs there what the machine is to boot, and
# gives out certificates, signature lists, signed updates and signatures alone; the keys end with the sandbox. So it makes other keys
# wherever it is built anew, and all that depends on it is of those keys.
#
# The machine predicts its PCRs, for which the systemd of nixpkgs must be one that is known (docs/nixos.md): the build says so if not.
{ self, pkgs }:

let
  inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) touchstone;
  label = "root";

  signed = unsigned: pkgs.runCommand "signed-elsewhere" { nativeBuildInputs = [ touchstone ]; } ''
    touchstone keys generate --test keys
    touchstone boot requests --certificate keys/db.pem --output requests ${unsigned}
    touchstone boot sign --key keys/db.key --certificate keys/db.pem --output signatures requests
    mkdir $out
    cp -r signatures keys/db.pem keys/*.esl keys/PK.auth keys/KEK.auth keys/db.auth $out
  '';
in
pkgs.testers.runNixOSTest {
  name = "touchstone-sealed-generation";

  nodes.machine = { config, lib, pkgs, modulesPath, extendModules, ... }:
    let
      # The same machine before anybody has signed anything.
      unsigned = extendModules { modules = [{ isSigned = false; }]; };
      inherit (config.system.build) toplevel elsewhere;
    in
    {
      imports = [ self.nixosModules.default "${modulesPath}/image/repart.nix" ];

      options.isSigned = lib.mkOption { type = lib.types.bool; default = true; };

      config = {
        system.build = {
          unsigned = unsigned.config.system.build.bootArtifacts;
          elsewhere = signed config.system.build.unsigned;
        };
        boot.touchstone = lib.mkMerge [
          { enable = true; }
          (lib.mkIf config.isSigned {
            sealed.enable = true;
            signing = {
              method = "detached";
              certificate = "${elsewhere}/db.pem";
              signatures = "${elsewhere}/signatures";
            };
            measuredBoot = {
              enable = true;
              secureBootVariables = {
                PK = "${elsewhere}/PK.esl";
                KEK = "${elsewhere}/KEK.esl";
                db = "${elsewhere}/db.esl";
              };
            };
          })
        ];
        boot.loader.grub.enable = false;
        boot.initrd.systemd.enable = true;
        environment.systemPackages = [ touchstone ];

        # Installing is copying: no program sees the disk before the machine starts. systemd-boot enrols the keys.
        image.repart = {
          name = "touchstone-test";
          partitions = {
            esp = {
              contents = {
                "/EFI/BOOT/BOOTX64.EFI".source = "${toplevel}/touchstone/loader.efi";
                "/EFI/Linux/touchstone-1.efi".source = "${toplevel}/touchstone/uki.efi";
              } // lib.listToAttrs (map
                (name: {
                  name = "/loader/keys/auto/${name}.auth";
                  value.source = "${elsewhere}/${name}.auth";
                }) [ "PK" "KEK" "db" ]);
              repartConfig = { Type = "esp"; Format = "vfat"; Label = "esp"; SizeMinBytes = "256M"; };
            };
            root = {
              storePaths = [ toplevel ];
              repartConfig = { Type = "root"; Format = "ext4"; Label = label; Minimize = "guess"; };
            };
          };
        };

        virtualisation = {
          directBoot.enable = false;
          mountHostNixStore = false;
          useEFIBoot = true;
          useSecureBoot = true;
          tpm.enable = true;
          efi.OVMF = (pkgs.OVMF.override { secureBoot = true; tpmSupport = true; }).fd;
          fileSystems = lib.mkForce {
            "/" = { device = "/dev/disk/by-partlabel/${label}"; fsType = "ext4"; };
            "/boot" = { device = "/dev/disk/by-partlabel/esp"; fsType = "vfat"; };
          };
        };
      };
    };

  testScript = { nodes, ... }:
    let
      inherit (nodes.machine.system.build) toplevel image;
    in
    ''
      import json
      import os
      import subprocess
      import tempfile

      disk = tempfile.NamedTemporaryFile()
      subprocess.run([
          "${nodes.machine.virtualisation.qemu.package}/bin/qemu-img", "create", "-f", "qcow2",
          "-b", "${image}/${nodes.machine.image.fileName}", "-F", "raw", disk.name,
      ], check=True)
      os.environ["NIX_DISK_IMAGE"] = disk.name

      # At the first start systemd-boot enrols the keys, and starts the machine anew.
      machine.start(allow_reboot=True)
      machine.wait_for_unit("multi-user.target")

      with subtest("the firmware enforces signatures"):
          assert "Secure Boot: enabled (user)" in machine.succeed("bootctl status")

      with subtest("the image of the sealed generation was started, and starts the inner system"):
          machine.succeed("cmp /boot/EFI/Linux/touchstone-1.efi ${toplevel}/touchstone/uki.efi")
          with open("${toplevel}/boot.json") as file:
              init = json.load(file)["org.nixos.bootspec.v2"]["init"]
          assert f"init={init}" in machine.succeed("cat /proc/cmdline").split()
          assert init != "${toplevel}/init"

      with subtest("the TPM holds what the generation said before it booted"):
          predictions = "${toplevel}/touchstone/pcrs.json"
          with open(predictions) as file:
              registers = json.load(file)["leaves"][0]["pcrs"].keys()
          held = {
              register: machine.succeed(f"cat /sys/class/tpm/tpm0/pcr-sha256/{register}").strip().lower()
              for register in registers
          }
          assert {"4", "7", "11", "12"} <= set(held)
          machine.succeed(f"echo '{json.dumps(held)}' >/tmp/held.json")
          userspace = "/run/log/systemd/tpm2-measure.log"
          more = f"--userspace {userspace}" if machine.execute(f"test -e {userspace}")[0] == 0 else ""
          log = "/sys/kernel/security/tpm0/binary_bios_measurements"
          print(machine.succeed(f"touchstone eventlog compare {log} {predictions} --pcrs /tmp/held.json {more}"))
    '';
}
