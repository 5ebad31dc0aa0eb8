# What the option reference (docs/options.md) says, as JSON: `options`, every option that the modules below `modules` declare, as nixpkgs'
# own documentation tools see it; and `files`, in the order in which they are imported. `cargo xtask options` makes Markdown of it.
#
#   lib       nixpkgs' lib: a folder
#   modules   the folder of the modules; its default.nix, a set, imports them all
{ lib, modules }:

let
  inherit (import lib) evalModules filter hasPrefix optionAttrSetToDocList removePrefix;

  # Nothing but the modules: a default that needs the rest of NixOS must say in `defaultText` what it is.
  evaluated = evalModules {
    # As if nixpkgs had none of the options that newer releases declare themselves.
    specialArgs.modulesPath = "/not/there";
    modules = [
      modules
      {
        _module.check = false;
        _module.args.pkgs = throw "the value of a documented option needs pkgs; give the option a `defaultText` or a literal example";
      }
    ];
  };

  folder = "${toString modules}/";

  # Without type, default and description a declaration only adds to an option of NixOS' own.
  declares = option: option ? default || option.description != null || option.type != "unspecified value";
  ours = option: option.visible && !option.internal && declares option
    && builtins.any (hasPrefix folder) (map toString option.declarations);

  relative = file: removePrefix folder (toString file);

  entry = option: {
    inherit (option) name readOnly type;
    # Of a text that is marked as Markdown, the text.
    description = option.description.text or option.description;
    declared = map relative option.declarations;
    default = option.default or null;
    example = option.example or null;
  };
in
{
  files = map relative (import modules).imports;
  options = map entry (filter ours (optionAttrSetToDocList evaluated.options));
}
