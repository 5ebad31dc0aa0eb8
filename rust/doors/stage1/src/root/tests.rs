use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const NAME: &str = "0123456789abcdfghijklmnpqrsvwxyz-nixos-system";

fn toplevel() -> StorePath {
    StorePath::parse(&format!("/nix/store/{NAME}")).unwrap()
}

fn system() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("nix/store").join(NAME);
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(folder.join("init"), "").unwrap();
    fs::set_permissions(folder.join("init"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(folder.join("nixos-version"), "25.11").unwrap();
    root
}

#[test]
fn a_system_on_a_clean_root_passes() {
    judge(system().path(), &toplevel()).unwrap();
}

#[test]
fn an_init_that_is_a_link_of_the_roots_passes() {
    let root = system();
    let folder = root.path().join("nix/store").join(NAME);
    fs::rename(folder.join("init"), root.path().join("nix/store/init")).unwrap();
    symlink("/nix/store/init", folder.join("init")).unwrap();
    judge(root.path(), &toplevel()).unwrap();
}

#[test]
fn what_is_loaded_into_every_program_is_refused() {
    for (file, why) in [
        ("etc/ld-nix.so.preload", "into every program"),
        (".rw-etc/upper/ld-nix.so.preload", "upper layer"),
        ("nix/var/nix/profiles/default/lib/systemd", "takes units"),
    ] {
        let root = system();
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("/{file} is on the root")),
            "{error}"
        );
        assert!(error.contains(why), "{error}");
    }
}

/// What is said of a root with these folders and links, each link with where it leads.
fn said_of(folders: &[&str], links: &[(&str, &str)]) -> Result<(), String> {
    let root = system();
    for folder in folders {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for (link, target) in links {
        let link = root.path().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        // What is there already is replaced.
        let _ = fs::remove_dir_all(&link);
        symlink(target, &link).unwrap();
    }
    judge(root.path(), &toplevel()).map_err(|error| error.to_string())
}

const PROFILES: &str = "nix/var/nix/profiles";
const DEFAULT: &str = "nix/var/nix/profiles/default";
/// The links of a profile that Nix made.
const MADE: [(&str, &str); 2] = [
    (DEFAULT, "default-1-link"),
    (
        "nix/var/nix/profiles/default-1-link",
        "/nix/store/1-user-environment",
    ),
];

#[test]
fn profiles_as_nix_makes_them_pass_and_are_seen_through() {
    let (lib, other) = ("nix/store/1-user-environment/lib", "nix/store/2-tool/lib");
    let linked = [MADE.as_slice(), &[(lib, "/nix/store/2-tool/lib")]].concat();
    let around = [MADE.as_slice(), &[(lib, "../../../nix/store/2-tool/lib")]].concat();
    said_of(&["nix/store/1-user-environment/bin"], &MADE).unwrap();
    said_of(&[lib], &MADE).unwrap();
    said_of(&[other], &linked).unwrap();
    said_of(&[other], &around).unwrap();
    let units = ["nix/store/1-user-environment/lib/systemd/user"];
    let units_of_other = ["nix/store/2-tool/lib/systemd"];
    for said in [
        said_of(&units, &MADE),
        said_of(&units_of_other, &linked),
        said_of(&units_of_other, &around),
        // What the last name stands for may lead anywhere, and nowhere.
        said_of(&[], &[(&format!("{DEFAULT}/lib/systemd"), "/later")]),
    ] {
        let said = said.unwrap_err();
        assert!(said.contains("NixOS' systemd takes units"), "{said}");
    }
}

#[test]
fn a_link_out_of_the_store_is_refused_whatever_is_there_now() {
    let lib = "nix/store/1-user-environment/lib";
    for (link, target) in [
        ("etc", "/home/etc"),
        ("etc", "home"),
        ("etc", "etc"),
        (".rw-etc", "/home"),
        (".rw-etc/upper", "../home/etc"),
        ("nix/var", "/home/nix/var"),
        ("nix/var/nix", "/nix/store/1-user-environment"),
        (PROFILES, "/home/profiles"),
        (DEFAULT, "/home/x"),
        (DEFAULT, "../../../../../../home/x"),
        (DEFAULT, "/nix/store/../../home/x"),
        (DEFAULT, "/home/../nix/store/1-user-environment"),
        // A folder among the profiles, over which something may be mounted.
        (DEFAULT, "per-user"),
        (DEFAULT, "per-user/root"),
        ("nix/var/nix/profiles/default/lib", "/nix/store/2-tool/lib"),
    ] {
        for there in [true, false] {
            let folders: &[&str] = match there {
                true => &[
                    "home/x",
                    "home/etc",
                    "home/nix/var/nix/profiles",
                    "nix/store/2-tool/lib",
                    lib,
                    "nix/var/nix/profiles/per-user/root",
                ],
                false => &[],
            };
            let said = said_of(folders, &[(link, target)]).unwrap_err();
            let says = format!("/{link} is a link on the root file system, which l");
            assert!(said.starts_with(&says), "{link} -> {target}: {said}");
        }
    }
    let said = said_of(&["home"], &[MADE.as_slice(), &[(lib, "/home")]].concat()).unwrap_err();
    assert!(
        said.starts_with("/nix/store/1-user-environment/lib is a link"),
        "{said}"
    );
    assert!(said.contains("lies or leads out of the store"), "{said}");
}

#[test]
fn a_link_that_leads_nowhere_is_refused() {
    let said = said_of(&[], &MADE).unwrap_err();
    let says = "/nix/var/nix/profiles/default-1-link is a link on the root file system, which leads nowhere: /nix/var/nix/profiles/default/lib/systemd could be";
    assert!(said.starts_with(says), "{said}");
}

#[test]
fn links_in_a_circle_are_no_way() {
    let said = said_of(
        &[],
        &[
            (DEFAULT, "other"),
            ("nix/var/nix/profiles/other", "default"),
        ],
    );
    let said = said.unwrap_err();
    assert!(
        said.contains("cannot be looked at: Too many levels of symbolic links"),
        "{said}"
    );
}

#[test]
fn a_preload_file_that_leads_nowhere_is_refused() {
    let root = system();
    symlink("/later", root.path().join("etc/ld-nix.so.preload")).unwrap();
    let error = judge(root.path(), &toplevel());
    assert!(matches!(error, Err(Error::Forbidden { .. })), "{error:?}");
}

#[test]
fn what_systemd_reads_below_usr_must_be_empty() {
    let root = system();
    let usr = root.path().join("usr");
    fs::create_dir_all(usr.join("bin")).unwrap();
    fs::write(usr.join("bin/env"), "").unwrap();
    for folder in ["lib", "local"] {
        fs::create_dir_all(usr.join(folder)).unwrap();
    }
    judge(root.path(), &toplevel()).unwrap();
    let assert_refused = |file: &str, why: &str| {
        let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
        let says = format!("/{file} is on the root");
        assert!(error.starts_with(&says) && error.contains(why), "{error}");
    };
    for (folder, file) in [
        ("usr/lib", "udev/rules.d/99.rules"),
        ("usr/local", "lib/systemd/system-generators/evil"),
    ] {
        let path = root.path().join(folder).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        assert_refused(folder, "which start programs");
        fs::remove_dir_all(root.path().join(folder)).unwrap();
        // Nor a link to wherever something is mounted later.
        symlink("/later", root.path().join(folder)).unwrap();
        assert_refused(folder, "which start programs");
        fs::remove_file(root.path().join(folder)).unwrap();
    }
    fs::remove_dir_all(&usr).unwrap();
    symlink("/later", &usr).unwrap();
    assert_refused("usr", "it is no folder");
}

#[test]
fn a_path_that_is_no_system_is_refused() {
    let folder = |root: &tempfile::TempDir| root.path().join("nix/store").join(NAME);
    for (lacks, take) in [
        ("it has no init", "init"),
        ("it has no nixos-version", "nixos-version"),
    ] {
        let root = system();
        fs::remove_file(folder(&root).join(take)).unwrap();
        let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
        assert!(error.contains(lacks), "{error}");
        assert!(error.contains("is no NixOS system"), "{error}");
    }
    let root = system();
    fs::set_permissions(
        folder(&root).join("init"),
        fs::Permissions::from_mode(0o444),
    )
    .unwrap();
    let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
    assert!(error.contains("its init is no program"), "{error}");
}
