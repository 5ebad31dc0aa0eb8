# Units of systemd: options with the types and defaults of nixpkgs. From nixos:
#   modules/system/boot/systemd.nix   c32bf83301bc
#   lib/systemd-unit-options.nix      01f31c2ee7d0; enableDefaultPath is that of later releases
{ lib, ... }:

let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  texts = option (types.listOf types.str) [ ];
  section = option (types.attrsOf types.anything) { };
in
{
  options.systemd = {
    additionalUpstreamSystemUnits = texts;
    services = option
      (types.attrsOf (types.submodule {
        options = {
          enable = option types.bool true;
          description = option types.str "";
          documentation = texts;
          wantedBy = texts;
          requiredBy = texts;
          requires = texts;
          wants = texts;
          after = texts;
          before = texts;
          conflicts = texts;
          restartIfChanged = option types.bool true;
          enableDefaultPath = option types.bool true;
          unitConfig = section;
          serviceConfig = section;
        };
      }))
      { };
    sockets = option
      (types.attrsOf (types.submodule {
        options = {
          description = option types.str "";
          wantedBy = texts;
          socketConfig = section;
        };
      }))
      { };
  };
}
