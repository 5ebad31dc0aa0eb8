# What the initrd is to verify by, as `touchstone-stage1` reads it (`/etc/touchstone/stage1.conf`, docs/stage1.md): no module, but a pure
# function, so that what is booted in the checks is, byte for byte, what a configuration gets.
#
#   keys          trusted public keys of Nix, "NAME:BASE64"
#   sigsNeeded    by how many different keys each path must be signed
#   onFailure     "halt", "reboot" or "shell"; `shell` is the program then
#   manifest      where the manifest is carried: "image", "esp" or "root"
#   class         the class of machines that the manifest must be signed for, or null
#   measure       the register that the verdict is extended into, or null
#   init          what the gate becomes: systemd
#   credentials   names of credentials that may be handed to the initrd, beside those that never do harm
{ keys
, sigsNeeded ? 1
, onFailure ? "halt"
, manifest
, class ? null
, measure ? null
, sysroot ? "/sysroot"
, init
, shell ? null
, credentials ? [ ]
}:

let
  inherit (builtins) concatStringsSep map toString;
  optional = word: value: if value == null then [ ] else [ "${word} ${toString value}" ];
in
concatStringsSep "\n" (
  [ "version 1" ]
  ++ map (key: "key ${key}") keys
  ++ [
    "sigs-needed ${toString sigsNeeded}"
    "on-failure ${onFailure}"
    "manifest ${manifest}"
  ]
  ++ optional "class" class
  ++ optional "measure" measure
  ++ map (name: "credential ${name}") credentials
  ++ [
    "sysroot ${sysroot}"
    "init ${init}"
  ]
  ++ optional "shell" shell
  ++ [ "" ]
)
