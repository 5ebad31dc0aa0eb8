# The units that verify the closure in the initrd: no module, but a pure function, so that what is booted in the checks is, byte for byte, what
# a configuration gets. Why each is as it is says docs/stage1-units.md, with the units of nixpkgs and systemd that it rests on.
#
#   onFailure   what to do with a machine whose closure is not what was signed: "halt", "reboot" or "shell"
#   measure     whether the verdict is extended into a register of the TPM, which must be there by then
#
# `units` are whole units, `dropIns` are additions to units of others, and `files` are both by their place below /etc/systemd/system.
{ onFailure ? "halt", measure ? false }:

let
  inherit (builtins) attrNames concatStringsSep foldl' listToAttrs map;

  verify = "touchstone-verify.service";
  lines = concatStringsSep "\n";

  # What executes something of the root, mounts something of it, writes to it, or decides by what it says. A unit that a release of nixpkgs
  # does not have is named in vain, which does no harm.
  behind = [
    # Finds the system that `init=` names, and resolves links in the root to do so.
    "initrd-find-nixos-closure.service"
    # The overlay of /etc: its metadata is a file system image in the closure. Releases of
    # nixpkgs differ in where they mount it.
    "initrd-find-etc.service"
    "run-nixos\\x2detc\\x2dmetadata.mount"
    "run-etc\\x2dmetadata.mount"
    "rw-etc.service"
    "sysroot-etc.mount"
    # Writes into the root.
    "systemd-tmpfiles-setup-sysroot.service"
    # Reads the root's fstab, and starts what leads to the switch of the root.
    "initrd-parse-etc.service"
    "initrd-cleanup.service"
    # Executes a program of the root (`prepare-root`), with the root as its root.
    "initrd-nixos-activation.service"
    # Starts stage 2; with nixos-init it activates as well.
    "initrd-switch-root.service"
    # What others are ordered after.
    "initrd-fs.target"
    "initrd.target"
  ];

  # What the check reads: the store, manifests, where NixOS' systemd looks for units, where it looks for all else beside /etc, and what a mutable
  # /etc has of its own. (/etc itself is an overlay that comes after the check, or part of the root.)
  read = map (path: "/sysroot${path}") [
    "/nix/store"
    "/nix/var/touchstone/manifests"
    "/nix/var/nix/profiles/default"
    "/usr/lib"
    "/usr/local"
    "/.rw-etc/upper"
  ];

  dropIn = lines [
    "[Unit]"
    "Requires=${verify}"
    "After=${verify}"
    ""
  ];

  # Ends the machine where the program could not do it itself, because it was killed or never started.
  failureAction = if onFailure == "reboot" then "reboot-force" else "halt-force";

  unit = lines ([
    "[Unit]"
    "Description=Verify every path of the system in the Nix store"
    "AssertPathExists=/etc/initrd-release"
    "DefaultDependencies=no"
    "RequiresMountsFor=${concatStringsSep " " read}"
    "Requires=initrd-root-fs.target"
    "After=initrd-root-fs.target systemd-journald.socket plymouth-start.service"
  ] ++ (if !measure then [ ] else [
    "Wants=dev-tpmrm0.device"
    "After=dev-tpmrm0.device"
  ]) ++ [
    "Before=${concatStringsSep " " behind}"
    "Conflicts=shutdown.target"
    "Before=shutdown.target"
    "IgnoreOnIsolate=yes"
    "RefuseManualStop=yes"
    "FailureAction=${failureAction}"
    ""
    "[Service]"
    "Type=oneshot"
    "RemainAfterExit=yes"
    "ExecStart=/init verify"
    "TimeoutStartSec=infinity"
    "OOMScoreAdjust=-1000"
    "StandardOutput=journal"
    "StandardError=journal"
  ] ++ (if onFailure != "shell" then [ ] else [
    "StandardInput=tty-force"
    "TTYPath=/dev/console"
  ]) ++ [ "" ]);

  units.${verify} = unit;
  dropIns = listToAttrs (map (name: { inherit name; value = dropIn; }) behind);
in
{
  inherit units dropIns;

  files = foldl' (files: name: files // { "${name}.d/touchstone-verify.conf" = dropIns.${name}; }) units (attrNames dropIns);
}
