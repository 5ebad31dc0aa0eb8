# Values that Nix computes while it evaluates, beside the builder's answers to the same requests: `builtins.touchstone`, in pure evaluation, from
# files of this repository. Where the plugin is not loaded there are no such values; the builder's answers are looked at alone then, and a
# line says so.
#
#   lib      Touchstone's functions, for `system`
#   probe    a store path or folder with bin/touchstone-probe
{ lib, probe, system }:

let
  inherit (builtins) mapAttrs;
  corpus = ./fuzz/corpus;
  zeros = "0000000000000000000000000000000000000000000000000000000000000000";
  path = "/nix/store/h9pb5m1paf0nlq8w8naandrcv11rp120-nixos-system-atlas";

  asked = of: {
    bootspec = of.bootspec {
      toplevel = path;
      init = "${path}/init";
      kernel = "${path}/kernel";
      initrds = [ "${path}/initrd" ];
      kernelParams = [ "quiet" ];
      label = "A generation";
      system = "x86_64-linux";
    };
    predictPcrs = of.predictPcrs { uki = corpus + "/pe_image/uki"; measure.pcrs = [ 11 ]; };
    verify = of.verify { file = corpus + "/pe_image/signed"; db = corpus + "/esl/certificate"; };
    "parse.bootspec" = of.parse.bootspec { file = corpus + "/bootspec/both"; };
    "parse.pe" = of.parse.pe { file = corpus + "/pe_image/uki"; };
    "parse.eventLog" = of.parse.eventLog { file = corpus + "/event_log/ovmf-2025.02"; };
    "parse.storePath" = of.parse.storePath { path = "${path}/init"; };
    "parse.pcrPolicy" = of.parse.pcrPolicy {
      file = builtins.toFile "signatures.json" (builtins.toJSON { sha256 = [{ pcrs = [ 11 ]; pkfp = zeros; pol = zeros; sig = "AAAA"; }]; });
    };
  };

  # Something of each answer, that it is not nothing.
  known = {
    bootspec.document."org.nixos.bootspec.v2" = { label = "A generation"; init = "${path}/init"; };
    predictPcrs.leaves = [
      {
        path = [ "before the first phase" ];
        pcrs."11".sha256 = "3b43c987ae71b1fef4664e0abc21d353024db86f5561b64803801e02f10b3499";
      }
    ];
    verify = { boots = false; under = "firmware"; };
    "parse.bootspec".versions = [ 1 2 ];
    "parse.pe" = { size = 7168; program.name = "systemd-stub"; };
    "parse.eventLog".algorithms = [ "sha1" "sha256" "sha384" "sha512" ];
    "parse.storePath".name = "nixos-system-atlas";
    "parse.pcrPolicy".kind = "signatures";
  };

  alone = builtins.trace "touchstone: checks.evaluation: Nix has not loaded the plugin, so that the builder's answers are looked at alone (docs/plugin.md)" null;
in
derivation {
  name = "values-are-answers";
  inherit system known;
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  mode = "same";
  answers = mapAttrs (_: answer: "${answer}") (asked lib.answers);
  values = if lib.values.door == "plugin" then asked builtins.touchstone else alone;
}
