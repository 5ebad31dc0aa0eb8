# Bootspec v2 in the toplevel's own boot.json.
{ lib, is, configOf, package, ... }:

let
  linesIn = config: lib.filter (lib.hasInfix "touchstone") (lib.splitString "\n" config.system.build.toplevel.buildCommand);
  linesOf = module: linesIn (configOf module);

  before = one: other: command:
    let parts = lib.splitString other command; in lib.length parts == 2 && lib.hasInfix one (lib.head parts);

  plain = configOf { };
  tree = { hardware.deviceTree = { enable = true; package = lib.mkForce package; }; };
  named = { imports = [ tree ]; hardware.deviceTree.name = "vendor/board.dtb"; };
  upgrade = ''${package}/bin/touchstone bootspec upgrade "$out/boot.json" --output "$out/boot.json".v2 --without-initrd-secrets'';
in
{
  "v2 is added to the document" = is [ upgrade ] (linesOf { });
  "behind NixOS' own writer" = is true (before plain.boot.bootspec.filename "bootspec upgrade" plain.system.build.toplevel.buildCommand);
  "and takes its place" = is true (lib.hasInfix ''mv "$out/boot.json".v2 "$out/boot.json"'' plain.system.build.toplevel.buildCommand);
  "the folder of device trees is told" = is [ "${upgrade} --fdtdir ${lib.escapeShellArg "${package}"}" ] (linesOf tree);
  "the device tree is told" = is [ "${upgrade} --devicetree ${lib.escapeShellArg "${package}/vendor/board.dtb"}" ] (linesOf named);
  "not where it is switched off" = is [ ] (linesOf { boot.touchstone.bootspec.v2.enable = false; });
  "not where Touchstone is switched off" = is [ ] (linesOf { boot.touchstone.enable = lib.mkForce false; });
  "in each specialisation's document, too" = is [ upgrade ]
    (linesIn (configOf { specialisation.rescue.configuration = { }; }).specialisation.rescue.configuration);
}
