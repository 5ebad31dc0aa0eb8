# What the installer reads in a toplevel (`touchstone/install.json`, docs/install.json.md): no module, but a function of a configuration
# and of the functions of ./generation.nix. Every key is there; what is not wanted is null.
{ lib, generation }:

config:

let
  inherit (lib) filterAttrs;
  settings = config.boot.touchstone;
  cfg = config.boot.loader.touchstone;
  menu = config.boot.loader.systemd-boot;
  inherit (settings) signing;
  inherit (settings.measuredBoot) policy;
  inherit (config.boot.initrd) verify;

  signs = signing.method == "install";
  store = path: if path == null then null else "${path}";

  # As loader.conf writes it.
  word = value: if value == true then "yes" else if value == false then "no" else toString value;
  timeout = config.boot.loader.timeout;
  ours = {
    timeout = if timeout == null then "menu-force" else timeout;
    editor = menu.editor;
    console-mode = menu.consoleMode or "keep";
  } // lib.optionalAttrs (menu.rebootForBitlocker or false) { reboot-for-bitlocker = true; };

  limit = menu.configurationLimit or null;
in
{
  version = 1;
  volumes = [{ esp = config.boot.loader.efi.efiSysMountPoint; xbootldr = menu.xbootldrMountPoint or null; }] ++ cfg.mirrors;
  loader =
    let image = settings.measuredBoot.bootPath.loader;
    in if !cfg.installLoader || image == null then null else { image = "${image}"; };
  loaderConf = lib.mapAttrs (_: word) (ours // cfg.loaderConf);
  sortKey = menu.sortKey or "nixos";
  # NixOS' systemd-boot takes 0 for no limit as well.
  configurationLimit = if limit == 0 then null else limit;
  bootCounting = if menu.bootCounting.enable then { inherit (menu.bootCounting) tries; } else null;
  # Images that are signed by a build, or for it, are in the generation already, or nowhere.
  images = if generation.isSigned settings then "sealed" else cfg.images;
  stub = store settings.uki.stub;
  splash = store settings.uki.splash;
  profiles = generation.profilesOf settings;
  sections = generation.sectionsOf settings;
  pcrSign =
    if !signs || !policy.enable then null
    else { keys = [ (filterAttrs (_: value: value != null) { inherit (policy) key; publicKey = store policy.publicKey; }) ]; };
  signing = if !signs then null else { inherit (signing) key pinSource; certificate = store signing.certificate; };
  extraFiles = lib.mapAttrs (_: store) cfg.extraFiles;
  inherit (cfg) extraEntries trustedPublicKeys sigsNeeded;
  touchEfiVariables = config.boot.loader.efi.canTouchEfiVariables;
  policy = cfg.policy;
  # The public keys say by which signatures the initrd will take a path: no other manifest is installed.
  verify =
    if !verify.enable then null
    else {
      inherit (verify.manifest) carrier class;
      keyFile = if verify.signing.enable then verify.signing.keyFile else null;
      trustedPublicKeys = lib.unique verify.trustedPublicKeys;
      inherit (verify) sigsNeeded;
    };
  state = cfg.stateFile;
  distro = config.system.nixos.distroName or "NixOS";
}
