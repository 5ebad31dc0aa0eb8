//! What the NixOS modules write for the installer, evaluated by real Nix (`checks/modules/cases/loader.nix`), is what the installer reads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

use std::path::{Path, PathBuf};

use serde_json::Value;
use touchstone_harness::{inputs, modules::with_stand_in};
use touchstone_install::Host;
use touchstone_install::settings::{Carrier, Images, Settings};

/// What the modules write, of one claim.
fn written(claim: &str) -> Value {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let topics = with_stand_in(&inputs(), &checkout.canonicalize().unwrap()).unwrap();
    let claimed = &topics["loader"][claim];
    assert_eq!(claimed.got, claimed.expected);
    claimed.got.clone()
}

/// What the installer reads, where that is written into a toplevel.
fn read(document: &Value) -> Settings {
    let root = tempfile::tempdir().unwrap();
    let toplevel = Path::new("/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system");
    let host = Host::new(root.path());
    let folder = host.at(toplevel).join("touchstone");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("install.json"), document.to_string()).unwrap();
    Settings::of(&host, toplevel).unwrap()
}

#[test]
fn what_the_modules_write_where_nothing_is_set_is_read() {
    let settings = read(&written("what it reads, where nothing is set"));
    assert_eq!(settings.volumes[0].esp, PathBuf::from("/boot"));
    assert_eq!(settings.images, Images::Uki);
    assert_eq!((settings.signing, settings.boot_counting), (None, None));
    assert_eq!(settings.loader_conf["editor"], "no");
}

#[test]
fn what_the_modules_write_where_everything_is_set_is_read() {
    let settings = read(&written("what it reads, where everything is set"));
    assert_eq!(settings.volumes.len(), 3);
    assert_eq!(settings.loader_conf["timeout"], "menu-force");
    let signing = settings.signing.unwrap();
    assert_eq!(signing.key, "/keys/db.key");
    assert_eq!(signing.pin_source, Some(PathBuf::from("/run/pin")));
    assert_eq!(settings.boot_counting.unwrap().tries.get(), 2);
    assert_eq!(settings.profiles[0].id, "debug");
    assert_eq!(settings.sections[0].name, ".fleet");
    let signer = &settings.pcr_sign.unwrap().keys[0];
    assert_eq!(signer.key.as_deref(), Some("/keys/pcr.key"));
    assert_eq!(settings.policy.unwrap().pcrs, [11]);
    assert_eq!(settings.trusted_public_keys.len(), 2);
    let verify = settings.verify.unwrap();
    assert_eq!(verify.carrier, Carrier::Esp);
    assert_eq!(verify.class.as_ref().unwrap().to_string(), "kiosk");
    assert_eq!(verify.key_file.as_deref(), Some(Path::new("/keys/nix")));
    assert_eq!(verify.trusted_public_keys.len(), 2);
    assert!(verify.trust().is_ok());
    assert_eq!(settings.distro, "Example OS");
}
