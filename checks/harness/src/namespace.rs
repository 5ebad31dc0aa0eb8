//! The inner half of [`crate::enter`]: runs as PID 1 of the new namespaces.

use std::ffi::{CStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::fs::StatVfsMountFlags;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{WaitOptions, pivot_root};

use crate::usage;

/// Device nodes of the host that are seen inside, where the host has them.
const DEVICES: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "kvm"];

/// Folders that are there, empty and writable, whether or not the root has them. Its other empty folders are
/// so too: host folders can be shown below them.
const FRESH: [&str; 6] = ["tmp", "run", "root", "nix", "proc", "dev"];

struct Bind {
    host: PathBuf,
    inside: PathBuf,
    writable: bool,
}

/// Sets the root up as `enter ROOT [--bind|--show HOST INSIDE]… [--folder F] [--usage F] [--init] -- PROGRAM…` says, runs the
/// program to its end and returns its exit status (128 + signal when one ended it). With `--init` the program takes this process' place.
///
/// # Errors
/// When the arguments are not of that form, or a mount fails.
pub fn enter_and_wait(arguments: impl IntoIterator<Item = OsString>) -> Result<i32> {
    let mut arguments = arguments.into_iter();
    let mut next = |what: &str| {
        arguments
            .next()
            .with_context(|| format!("enter: {what} is missing"))
    };
    let root = PathBuf::from(next("the root")?);
    let mut binds = Vec::new();
    let mut folder = PathBuf::from("/");
    let mut usage = None;
    let mut init = false;
    loop {
        let word = next("`--`")?;
        match word.to_str() {
            Some("--") => break,
            Some("--init") => init = true,
            Some("--folder") => folder = next("the folder")?.into(),
            // Opened before the host's files go out of sight.
            Some("--usage") => usage = Some(fs::File::create(next("the file")?)?),
            Some(kind @ ("--bind" | "--show")) => {
                let writable = kind == "--bind";
                binds.push(Bind {
                    host: next("the path")?.into(),
                    inside: next("the path inside")?.into(),
                    writable,
                });
            }
            _ => bail!("enter: unknown option {}", word.display()),
        }
    }
    let program = next("the program")?;
    build(&root, &binds)?;
    std::env::set_current_dir(&folder)
        .with_context(|| format!("{} inside the root", folder.display()))?;
    if init {
        for_an_init()?;
        let failed = Command::new(&program).args(arguments).exec();
        return Err(failed).with_context(|| format!("becoming {}", program.display()));
    }
    let begun = Instant::now();
    let child = Command::new(&program).args(arguments).spawn();
    let child = child.with_context(|| format!("starting {} inside the root", program.display()))?;
    match usage {
        Some(file) => usage::wait_for(child, begun, file),
        None => wait_for(i32::try_from(child.id())?),
    }
}

/// Puts the new root together on a tmpfs and moves into it. The tmpfs is mounted over the root's own
/// empty `/proc`, so that it hides nothing that is bound afterwards.
fn build(root: &Path, binds: &[Bind]) -> Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .context("making the mounts private")?;
    let new = root.join("proc");
    mount_tmpfs(&new, c"mode=0755")?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if FRESH.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (from, to) = (entry.path(), new.join(entry.file_name()));
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if entry.file_type()?.is_dir() && fs::read_dir(&from)?.next().is_some() {
            bind(&from, &to, false)?;
        } else {
            fs::create_dir(&to)?;
        }
    }
    for name in FRESH {
        fs::create_dir(new.join(name))?;
    }
    fs::set_permissions(new.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    mount_tmpfs(&new.join("var/tmp"), c"mode=1777")?;
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", new.join("proc"), "proc", safe, None).context("mounting /proc")?;
    devices(&new.join("dev"))?;
    for Bind {
        host,
        inside,
        writable,
    } in binds
    {
        bind(
            host,
            &new.join(inside.strip_prefix("/").unwrap_or(inside)),
            *writable,
        )?;
    }
    std::env::set_current_dir(&new)?;
    pivot_root(".", ".").context("pivot_root")?;
    unmount(".", UnmountFlags::DETACH).context("leaving the old root")?;
    std::env::set_current_dir("/")?;
    Ok(())
}

/// What an init system needs besides.
fn for_an_init() -> Result<()> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", "/sys", "sysfs", safe, None).context("mounting /sys")?;
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", safe, None)
        .context("mounting /sys/fs/cgroup: the kernel has no second version of control groups")?;
    // An init system manages the control group that it is started in, and whoever else is in ours is none of its business.
    let own = Path::new("/sys/fs/cgroup/touchstone-check");
    fs::create_dir_all(own)?;
    fs::write(own.join("cgroup.procs"), "0").context("moving to a control group")?;
    mount_tmpfs(Path::new("/run"), c"mode=0755")?;
    mount_tmpfs(Path::new("/var/lib"), c"mode=0755")
}

fn mount_tmpfs(at: &Path, options: &CStr) -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", at, "tmpfs", flags, options)
        .with_context(|| format!("mounting a tmpfs at {}", at.display()))
}

fn devices(dev: &Path) -> Result<()> {
    for name in DEVICES {
        let host = Path::new("/dev").join(name);
        if host.exists() {
            bind(&host, &dev.join(name), true)?;
        }
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))?;
    }
    fs::create_dir(dev.join("pts"))?;
    fs::create_dir(dev.join("shm"))?;
    mount_tmpfs(&dev.join("shm"), c"mode=1777")?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "devpts",
        dev.join("pts"),
        "devpts",
        flags,
        c"newinstance,ptmxmode=0666,mode=0620",
    )
    .context("mounting /dev/pts")
}

/// Shows `host` at `to`, for which a mount point is made.
fn bind(host: &Path, to: &Path, writable: bool) -> Result<()> {
    let place = || format!("showing {} at {}", host.display(), to.display());
    let kind = fs::metadata(host).with_context(place)?;
    if kind.is_dir() {
        fs::create_dir_all(to).with_context(place)?;
    } else if !to.exists() {
        fs::create_dir_all(to.parent().context("a file cannot be shown as the root")?)
            .with_context(place)?;
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(to)
            .with_context(place)?;
    }
    mount_bind_recursive(host, to).with_context(place)?;
    if !writable {
        let kept = rustix::fs::statvfs(to)?.f_flag;
        let mut flags = MountFlags::BIND | MountFlags::RDONLY;
        // In a user namespace a remount must not drop what the mount already denies.
        for (denied, flag) in [
            (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
            (StatVfsMountFlags::NODEV, MountFlags::NODEV),
            (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        ] {
            if kept.contains(denied) {
                flags |= flag;
            }
        }
        mount_remount(to, flags, c"").with_context(place)?;
    }
    Ok(())
}

fn wait_for(child: i32) -> Result<i32> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == child => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return Ok(status.exit_status().or(signal).unwrap_or(1));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}
