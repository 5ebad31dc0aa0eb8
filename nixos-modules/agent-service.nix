# How systemd runs the signing agent: no module, but the settings of its service in ./agent.nix. It is root without any of root's powers: it
# reads files that are root's, opens what keys are in, and writes its log.
{ lib, cfg, checked, state }:

let
  inherit (lib) any attrValues hasPrefix isString;
  keys = map (key: key.key) (attrValues cfg.keys);
  # What the agent has where nothing is said.
  drainSeconds = if cfg.limits.drainSeconds == null then 30 else cfg.limits.drainSeconds;
  usesTpm = any (key: isString key && hasPrefix "tpm2:" key) keys;
in
{
  Type = "notify";
  ExecStart = "${cfg.package}/bin/touchstone agent serve --policy ${checked} --state /var/lib/${state}";
  # The first process is told to end, and tells those that hold the keys.
  KillMode = "mixed";
  # Once for what has come in, once for answers that nobody takes; and for keys that hang, and the log.
  TimeoutStopSec = 2 * drainSeconds + 30;
  Restart = "on-failure";
  StateDirectory = state;
  StateDirectoryMode = "0700";
  # Emptied when it ends; the sockets of systemd lie above it, and stay.
  RuntimeDirectory = "${state}/builds";
  RuntimeDirectoryMode = "0700";
  # Checkpoints that are exported are for others to read; the log is not.
  UMask = "0022";

  # No key in a core dump or on the swap.
  LimitCORE = 0;
  LimitMEMLOCK = "infinity";

  CapabilityBoundingSet = "";
  AmbientCapabilities = "";
  NoNewPrivileges = true;
  ProtectSystem = "strict";
  ReadWritePaths = map (folder: "-${folder}") cfg.log.exports;
  ProtectHome = "read-only";
  PrivateTmp = true;
  PrivateNetwork = true;
  RestrictAddressFamilies = [ "AF_UNIX" ];
  DevicePolicy = "closed";
  DeviceAllow = lib.optionals usesTpm [ "/dev/tpmrm0 rw" "/dev/tpm0 rw" ];
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [ "@system-service" "~@privileged" ];
  SystemCallErrorNumber = "EPERM";
}
