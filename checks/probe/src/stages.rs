//! The programs between initrd and system, under the names that nixpkgs' units have for them: stand-ins that do what is dangerous about the
//! real ones, at the same place. What is part of the system says on the console that it runs.
//!
//! How the system is found (the last `init=`, links followed) and what is run of it is as in nixpkgs' `boot/systemd/initrd.nix` and
//! its `nixos-init`.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::disk::{self, ROOT};
use crate::switch::ended;

/// What code of the system writes on the console before anything else, with its name behind it.
const RUNS: &str = "touchstone-root: code of the root runs: ";
/// Where the initrd keeps which system it is to start.
const CLOSURE: &str = "/nixos-closure";
/// The same for the unit that switches the root.
const SWITCH: &str = "/etc/switch-root.conf";
/// Links of the toplevel, by which `/etc` is found.
const ETC: [&str; 2] = ["etc-metadata-image", "etc-basedir"];
/// As often as the kernel follows links.
const MOST_LINKS: u32 = 40;

/// A program that does what its name says; none for other names.
pub fn by_name(name: &OsStr) -> Option<fn(&[OsString]) -> ExitCode> {
    Some(match Path::new(name).file_name()?.to_str()? {
        "load-modules" => |_| ended(disk::load_modules()),
        "initrd-find-nixos-closure" => |_| ended(find_closure()),
        "initrd-nixos-activation" => |_| ended(activate().map(|never| match never {})),
        "find-etc" => |_| ended(find_etc()),
        "initrd-init" => |_| ended(initialize()),
        "prepare-root" => |_| ended(tell("prepare-root")),
        _ => return None,
    })
}

/// Says on the console that code of the root runs.
pub fn tell(name: &str) -> Result<()> {
    let mut console = console()?;
    writeln!(console, "\n{RUNS}{name}").context("the console")
}

fn console() -> Result<File> {
    let path = "/dev/console";
    File::options().write(true).open(path).context(path)
}

/// Notes which system is to be started.
fn find_closure() -> Result<()> {
    let init = disk::last_init()?;
    let closure = toplevel(Path::new(ROOT), &init)?;
    symlink(&closure, CLOSURE).context(CLOSURE)?;
    // What is no NixOS is started as well: nothing prepares the root for it.
    let init = if is_nixos(&closure)? {
        closure.join("init")
    } else {
        init
    };
    fs::write(SWITCH, format!("NEW_INIT={}\n", init.display())).context(SWITCH)
}

/// Runs the system's own program, in its root.
fn activate() -> Result<Infallible> {
    let closure = fs::read_link(CLOSURE).context(CLOSURE)?;
    if !is_nixos(&closure)? {
        std::process::exit(0);
    }
    let program = closure.join("prepare-root");
    // It says on the console that it runs, which is in the folder of devices.
    disk::bind("/dev", &format!("{ROOT}/dev"))?;
    rustix::process::chroot(ROOT).context(ROOT)?;
    std::env::set_current_dir("/")?;
    let refused: Result<Infallible, _> = Err(Command::new(&program).exec());
    refused.with_context(|| program.display().to_string())
}

/// Makes the links by which the units mount what the system has as `/etc`.
fn find_etc() -> Result<()> {
    let closure = toplevel(Path::new(ROOT), &disk::last_init()?)?;
    for name in ETC {
        let target = resolve(Path::new(ROOT), &closure.join(name))?;
        let target = format!("{ROOT}{}", target.display());
        symlink(target, format!("/{name}")).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// Initializes the system without a program of its own, and has systemd switch to it.
fn initialize() -> Result<()> {
    let init = disk::last_init()?;
    let closure = toplevel(Path::new(ROOT), &init)?;
    let init = if is_nixos(&closure)? {
        closure.join("init")
    } else {
        init
    };
    let mut switch = Command::new("systemctl");
    switch.args(["--no-block", "switch-root", ROOT]).arg(init);
    let status = switch.status().context("systemctl")?;
    ensure!(status.success(), "systemctl ended with {status}");
    Ok(())
}

fn is_nixos(closure: &Path) -> Result<bool> {
    let program = resolve(Path::new(ROOT), &closure.join("prepare-root"));
    Ok(program.is_ok_and(|program| below(Path::new(ROOT), &program).is_file()))
}

/// The folder of the init, links followed.
fn toplevel(root: &Path, init: &Path) -> Result<PathBuf> {
    // The file itself may be a link out of it: only the folder is followed.
    let folder = init.parent().context("init has no folder")?;
    resolve(root, folder)
}

/// A path with all links followed, as if `root` were `/`.
fn resolve(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut links = 0;
    let mut seen = PathBuf::from("/");
    let mut rest: Vec<OsString> = components(path);
    rest.reverse();
    while let Some(name) = rest.pop() {
        if name == ".." {
            seen.pop();
            continue;
        }
        let here = seen.join(&name);
        match fs::read_link(below(root, &here)) {
            Ok(target) => {
                links += 1;
                ensure!(links <= MOST_LINKS, "{}: too many links", path.display());
                if target.is_absolute() {
                    seen = PathBuf::from("/");
                }
                rest.extend(components(&target).into_iter().rev());
            }
            Err(_) => seen = here,
        }
    }
    let there = below(root, &seen);
    fs::symlink_metadata(&there).with_context(|| there.display().to_string())?;
    Ok(seen)
}

fn components(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    named.collect()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_if_the_root_were_this_machines() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("nix/store/system")).unwrap();
        fs::write(root.join("nix/store/system/init"), "").unwrap();
        symlink("/nix/store", root.join("store")).unwrap();
        symlink("../store/system", root.join("nix/current")).unwrap();
        let found = toplevel(root, Path::new("/nix/current/init")).unwrap();
        assert_eq!(found, Path::new("/nix/store/system"));
        assert!(resolve(root, Path::new("/nix/other")).is_err());
        symlink("circle", root.join("circle")).unwrap();
        assert!(resolve(root, Path::new("/circle")).is_err());
    }
}
