//! The option reference: what the generator makes of modules, and that the page in docs/ is what it makes of ours.

use std::path::{Path, PathBuf};

use touchstone_harness::options::{MODULES, PAGE, reference};

use crate::support::Work;

fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap().to_owned()
}

#[test]
fn the_option_reference_is_what_the_modules_say() {
    let checkout = checkout();
    let page = std::fs::read_to_string(checkout.join(PAGE)).unwrap();
    let wanted = reference(&Work::new().inputs, &checkout, &checkout.join(MODULES)).unwrap();
    let first = page
        .lines()
        .zip(wanted.lines())
        .find(|(is, wanted)| is != wanted);
    assert_eq!(first, None, "run `cargo xtask options`");
    assert_eq!(page.len(), wanted.len(), "run `cargo xtask options`");
}

/// A folder of two modules.
fn modules(uki: &str) -> (Work, PathBuf) {
    let work = Work::new();
    std::fs::create_dir(work.path("modules")).unwrap();
    work.write(
        "modules/default.nix",
        "{ imports = [ ./uki.nix ./base.nix ]; }",
    );
    work.write(
        "modules/base.nix",
        "# Turning it on.\n# For everybody.\n{ lib, ... }: {\n  options.boot.touchstone.enable = lib.mkEnableOption \"boot trust\";\n}\n",
    );
    work.write("modules/uki.nix", uki);
    let modules = work.path("modules");
    (work, modules)
}

#[test]
fn every_option_has_an_entry_below_the_file_that_declares_it() {
    let (work, modules) = modules(UKI);
    let page = reference(&work.inputs, &checkout(), &modules).unwrap();
    let (_head, sections) = page.split_once("\n## ").unwrap();
    assert_eq!(format!("## {sections}"), SECTIONS);
}

#[test]
fn an_option_without_a_description_is_named() {
    let (work, modules) = modules(
        "{ lib, ... }: { options.boot.touchstone.uki.stub = lib.mkOption { type = lib.types.path; }; }",
    );
    let refused = reference(&work.inputs, &checkout(), &modules).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "boot.touchstone.uki.stub has no description"
    );
}

#[test]
fn a_default_that_needs_the_rest_of_nixos_is_asked_for_a_text() {
    let (work, modules) = modules(
        "{ lib, pkgs, ... }: { options.stub = lib.mkOption { default = pkgs.systemd; description = \"A stub.\"; }; }",
    );
    let refused = reference(&work.inputs, &checkout(), &modules).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("give the option a `defaultText`"),
        "{refused}"
    );
}

const UKI: &str = r#"{ lib, config, ... }:
let
  inherit (lib) literalExpression literalMD mkOption types;
in
{
  options.boot.touchstone.uki = {
    stub = mkOption {
      type = types.path;
      default = config.no.such.option;
      defaultText = literalMD "the stub of {option}`systemd.package`";
      example = literalExpression "./linuxx64.efi.stub";
      description = "The stub: see {option}`boot.touchstone.enable`.";
    };
    profiles = mkOption {
      type = types.attrsOf (types.submodule {
        options.title = mkOption { type = types.str; description = "What the menu shows."; };
      });
      default = { };
      example = { rescue.title = "Rescue"; };
      description = ''
        More profiles.

        They share one image.
      '';
    };
    secret = mkOption { internal = true; };
  };
  options.result = mkOption { type = types.int; readOnly = true; description = "What came of it."; };
}
"#;

const SECTIONS: &str = r#"## uki.nix

### `boot.touchstone.uki.profiles`
More profiles.

They share one image.

- Type: attribute set of (submodule)
- Default: `{ }`
- Example:
  ```nix
  {
    rescue = {
      title = "Rescue";
    };
  }
  ```
- Declared in: [nixos-modules/uki.nix](../nixos-modules/uki.nix)

### `boot.touchstone.uki.profiles.<name>.title`
What the menu shows.

- Type: string
- Declared in: [nixos-modules/uki.nix](../nixos-modules/uki.nix)

### `boot.touchstone.uki.stub`
The stub: see `boot.touchstone.enable`.

- Type: path
- Default: the stub of `systemd.package`
- Example: `./linuxx64.efi.stub`
- Declared in: [nixos-modules/uki.nix](../nixos-modules/uki.nix)

### `result`
What came of it.

- Type: signed integer (read only)
- Declared in: [nixos-modules/uki.nix](../nixos-modules/uki.nix)

## base.nix
Turning it on.
For everybody.

### `boot.touchstone.enable`
Whether to enable boot trust.

- Type: boolean
- Default: `false`
- Example: `true`
- Declared in: [nixos-modules/base.nix](../nixos-modules/base.nix)
"#;
