//! What a program asks of the kernel, and which programs it starts: strace of Debian, over the whole tree of its processes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::enter::Visit;
use crate::nix::output;

/// Calls that change what is on a disk, what is mounted, or write to something that is open.
const CHANGING: &[&str] = &[
    "chmod",
    "chown",
    "copy_file_range",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fdatasync",
    "fremovexattr",
    "fsetxattr",
    "fsync",
    "ftruncate",
    "futimesat",
    "lchown",
    "link",
    "linkat",
    "lremovexattr",
    "lsetxattr",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "pivot_root",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "removexattr",
    "removexattrat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "setxattrat",
    "splice",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "truncate",
    "umount2",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
];

/// Requests of `ioctl` that do: copies that share blocks, and flags of a file.
const CHANGING_REQUESTS: &[&str] = &[
    "FICLONE",
    "FIDEDUPERANGE",
    "FS_IOC_SETFLAGS",
    "FS_IOC_FSSETXATTR",
];

/// What was seen of a tree of processes, from the first program's start to the end of the last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How often each system call was made.
    pub calls: BTreeMap<String, u64>,
    /// The programs that were started, the traced one first: each `execve` that succeeded or not, as strace writes it.
    pub executed: Vec<String>,
    /// How many processes there were; threads are none of their own.
    pub processes: u64,
    /// Calls that change files, and writes to others than standard output and error.
    pub changing: BTreeMap<String, u64>,
}

impl Trace {
    /// Runs a program under strace in a visit, and reads what strace wrote to `file` (which both sides see).
    ///
    /// # Errors
    /// When the program fails, or strace.
    pub fn of<A: AsRef<OsStr>>(
        visit: &Visit,
        file: &Path,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Trace> {
        let mut command = visit.command("strace")?;
        command.args(["--follow-forks", "--string-limit=4096", "--output"]);
        command.arg(file).arg("--").arg(program).args(arguments);
        output(command).with_context(|| format!("tracing {}", program.display()))?;
        let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        Ok(Trace::read(&String::from_utf8_lossy(&text)))
    }

    /// Reads what strace wrote, every line of which begins with the number of a thread.
    #[must_use]
    pub fn read(text: &str) -> Trace {
        let mut trace = Trace {
            processes: 1,
            ..Trace::default()
        };
        for line in text.lines() {
            let line = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
            trace.line(line.trim_start());
        }
        trace
    }

    /// How many system calls were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.calls.values().sum()
    }

    /// A call; not the end of one that another thread interrupted, nor a signal, nor an end.
    fn line(&mut self, line: &str) {
        let Some((name, arguments)) = line.split_once('(') else {
            return;
        };
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return;
        }
        let count = |calls: &mut BTreeMap<String, u64>| {
            *calls.entry(name.to_owned()).or_default() += 1;
        };
        count(&mut self.calls);
        match name {
            "execve" | "execveat" => self.executed.push(line.to_owned()),
            "fork" | "vfork" => self.processes += 1,
            "clone" | "clone3" if !arguments.contains("CLONE_THREAD") => self.processes += 1,
            _ => {}
        }
        if changes(name, arguments) {
            count(&mut self.changing);
        }
    }
}

fn changes(name: &str, arguments: &str) -> bool {
    match name {
        "write" | "writev" => !["1,", "2,"].iter().any(|said| arguments.starts_with(said)),
        "open" | "openat" | "openat2" | "creat" => ["O_CREAT", "O_TRUNC", "O_TMPFILE"]
            .iter()
            .any(|flag| arguments.contains(flag)),
        "ioctl" => CHANGING_REQUESTS
            .iter()
            .any(|request| arguments.contains(request)),
        other => CHANGING.contains(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once_and_programs_and_changes_are_told() {
        let text = r#"10 execve("./a", ["./a", "b"], 0x7f /* 2 vars */) = 0
10 openat(AT_FDCWD, "x", O_RDONLY) = 3
10 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[11]}, 88) = 11
11 read(3,  <unfinished ...>
10 write(1, "said", 4) = 4
11 <... read resumed>"y", 1) = 1
10 vfork( <unfinished ...>
12 execve("/bin/true", ["true"], 0x7f /* 2 vars */) = 0
12 +++ exited with 0 +++
10 --- SIGCHLD {si_signo=SIGCHLD} ---
10 openat(AT_FDCWD, "z", O_WRONLY|O_CREAT|O_EXCL, 0644) = 4
10 write(4, "z", 1) = 1
10 exit_group(0) = ?
"#;
        let trace = Trace::read(text);
        assert_eq!(trace.count(), 10);
        assert_eq!(trace.processes, 2);
        assert_eq!(trace.executed.len(), 2);
        assert!(trace.executed[1].starts_with("execve(\"/bin/true\""));
        let changing: Vec<(&str, u64)> = trace
            .changing
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        assert_eq!(changing, [("openat", 1), ("write", 1)]);
    }

    #[test]
    fn whatever_changes_a_file_by_another_call_than_write_is_told_as_well() {
        let text = r#"10 unlink("a") = 0
10 lsetxattr("a", "user.x", "y", 1, 0) = 0
10 utimensat(3, NULL, NULL, 0) = 0
10 truncate("a", 0) = 0
10 splice(3, NULL, 4, NULL, 10, 0) = 10
10 mount("a", "/b", NULL, MS_BIND, NULL) = 0
10 ioctl(4, BTRFS_IOC_CLONE or FICLONE, 3) = 0
10 ioctl(4, FS_IOC_SETFLAGS, [FS_IMMUTABLE_FL]) = 0
10 ioctl(1, TCGETS, 0x7ffc) = -1 ENOTTY (Inappropriate ioctl for device)
10 ioctl(4, FS_IOC_GETFLAGS, [0]) = 0
10 getxattr("a", "user.x", "y", 1) = 1
"#;
        let changing = Trace::read(text).changing;
        let counts: Vec<u64> = changing.values().copied().collect();
        assert_eq!(counts, [2, 1, 1, 1, 1, 1, 1], "{changing:?}");
    }
}
