# What is read from NixOS' options: the fields of Bootspec v2.
{ lib, is, configOf, orphan, package, ... }:

let
  bootspecOf = config: config.system.build.bootArtifacts.request.bootspec;
  of = module: bootspecOf (configOf module);

  plain = configOf { };
  toplevelOf = config: "${config.system.build.toplevel}";
  kernelOf = config: config.boot.kernelPackages.kernel;

  two = configOf {
    boot.kernelParams = [ "quiet" ];
    boot.bootspec.extensions."org.example.menu" = { colour = "green"; };
    specialisation = {
      rescue.configuration = {
        boot.kernelParams = [ "rescue" ];
        boot.bootspec.extensions."org.example.menu" = { colour = lib.mkForce "red"; };
      };
      bare = orphan;
    };
  };
  childOf = name: two.specialisation.${name}.configuration;

  tree = { hardware.deviceTree = { enable = true; package = lib.mkForce package; }; };
  named = { imports = [ tree ]; hardware.deviceTree.name = "vendor/board.dtb"; };
in
{
  "the core of a generation" = is
    {
      system = "x86_64-linux";
      label = "NixOS ${plain.system.nixos.codeName} ${plain.system.nixos.label} (Linux ${(kernelOf plain).modDirVersion})";
      kernel = "${kernelOf plain}/${plain.system.boot.loader.kernelFile}";
      inherit (plain.boot) kernelParams;
      initrds = [ "${plain.system.build.initialRamdisk}/${plain.system.boot.loader.initrdFile}" ];
      init = "${toplevelOf plain}/init";
      toplevel = toplevelOf plain;
    }
    (lib.getAttrs [ "system" "label" "kernel" "kernelParams" "initrds" "init" "toplevel" ] (bootspecOf plain));
  "the distribution's name is in the label" = is true
    (lib.hasPrefix "Example OS " (of { system.nixos.distroName = "Example OS"; }).label);
  "no initrd where NixOS makes none" = is [ ] (of { boot.initrd.enable = false; }).initrds;
  "kernel parameters keep their order" = is two.boot.kernelParams (bootspecOf two).kernelParams;
  "extensions are carried" = is { colour = "green"; } (bootspecOf two).extensions."org.example.menu";
  "a specialisation's extensions are its own" = is { colour = "red"; } (bootspecOf two).specialisations.rescue.extensions."org.example.menu";
  "a specialisation is described by its own configuration" = is
    { toplevel = toplevelOf (childOf "rescue"); inherit ((childOf "rescue").boot) kernelParams; }
    (lib.getAttrs [ "toplevel" "kernelParams" ] (bootspecOf two).specialisations.rescue);
  "a specialisation that inherits nothing as well" = is
    { toplevel = toplevelOf (childOf "bare"); inherit ((childOf "bare").boot) kernelParams; }
    (lib.getAttrs [ "toplevel" "kernelParams" ] (bootspecOf two).specialisations.bare);
  "one that inherits nothing has none of these options" = is false ((childOf "bare").boot ? touchstone);
  "specialisations have none of their own" = is false ((bootspecOf two).specialisations.rescue ? specialisations);

  "no device tree on a machine without" = is [ false false "required" ]
    [ (bootspecOf plain ? devicetree) (bootspecOf plain ? fdtdir) (bootspecOf plain).v1 ];
  "a folder of device trees" = is [ "${package}" false ] [ (of tree).fdtdir (of tree ? devicetree) ];
  "a named device tree is the only one" = is [ "${package}/vendor/board.dtb" false ] [ (of named).devicetree (of named ? fdtdir) ];
  "with a device tree, v1 is written where it says enough" = is "wherePossible" (of named).v1;
  "with that of a specialisation, too" = is "wherePossible" (of { specialisation.board.configuration = named; }).v1;
}
