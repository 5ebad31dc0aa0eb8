//! A folder of real inputs, the program under test, and the peers.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use touchstone_harness::enter::Visit;
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, Systemd, inputs};

/// The program under test.
pub const TOUCHSTONE: &str = env!("CARGO_BIN_EXE_touchstone");

/// A folder in which a test works: files are named without a path, here and by the peers.
pub struct Work {
    /// What `cargo xtask setup` prepared.
    pub inputs: Inputs,
    folder: TempDir,
}

impl Work {
    /// A folder with the kernel of `architecture` (Debian's name) as `vmlinuz`, and small files of every kind that goes into a UKI.
    pub fn with_kernel(architecture: &str) -> Work {
        let work = Work::new();
        let kernel = &work.inputs.kernel[architecture];
        fs::copy(&kernel.vmlinuz, work.path("vmlinuz")).unwrap();
        work.write("initrd", noise(1, 300_001));
        work.write("second-initrd", noise(2, 4_098));
        work.write("third-initrd", noise(3, 7));
        work.write("splash.bmp", noise(4, 70_123));
        work.write("ucode", noise(5, 12_345));
        work.write("board.dtb", noise(6, 9_999));
        work.write("empty", "");
        work.write("blob", noise(7, 513));
        work.write("cmdline", "quiet  console=ttyS0\tx=\"a b\"\n");
        work.write(
            "os-release",
            "# a comment\nID=check\nNAME=\"A check\"\nVERSION_ID=1\n",
        );
        work.write(
            "sbat",
            "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nmine,1,Mine,mine,1,https://mine.example/\n",
        );
        work
    }

    /// An empty folder.
    pub fn new() -> Work {
        Work {
            inputs: inputs(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The absolute path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Copies the UKI stub of this suite and firmware architecture to `name`.
    pub fn stub(&self, suite: &str, architecture: &str, name: &str) {
        fs::copy(&self.inputs.stub[suite][architecture], self.path(name)).unwrap();
    }

    /// Copies the addon stub of this suite and firmware architecture to `name`.
    pub fn addon_stub(&self, suite: &str, architecture: &str, name: &str) {
        fs::copy(
            &self.inputs.addon_stub[suite][architecture],
            self.path(name),
        )
        .unwrap();
    }

    /// The suites whose stubs are there.
    pub fn stub_suites(&self) -> Vec<String> {
        self.inputs.stub.keys().cloned().collect()
    }

    /// Test keys in the folder `name`.
    pub fn keys(&self, name: &str) {
        self.done(["keys", "generate", "--test", name]);
    }

    /// Runs `touchstone` in the folder.
    pub fn touchstone<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = Command::new(TOUCHSTONE);
        command.current_dir(self.folder()).args(arguments);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs `touchstone`, which must end well; the answer is what it printed.
    pub fn done<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let output = self.touchstone(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `touchstone`, which must print JSON.
    pub fn json<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> serde_json::Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }

    /// A visit to a root that works in this folder.
    pub fn inside(&self, visit: Visit) -> Visit {
        visit.bind(self.folder()).folder(self.folder())
    }

    /// Runs a program of Debian 13 in the folder.
    pub fn debian(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self
            .inside(self.inputs.trixie().visit())
            .command(program)
            .unwrap();
        command.args(arguments).output().unwrap()
    }

    /// Runs the commands of a page of the documentation in the folder, with Debian 13's programs; none may fail.
    pub fn follow(&self, page: &str) {
        let visit = self.inside(self.inputs.trixie().visit()).show(TOUCHSTONE);
        let mut shell = visit.command("bash").unwrap();
        shell.args(["-euxc", &[alias(), documented(page)].concat()]);
        output(shell).unwrap();
    }

    /// Runs a program of a systemd release in the folder; the answer is what it printed.
    pub fn systemd(&self, systemd: &Systemd, program: &str, arguments: &[String]) -> String {
        let mut command = self.inside(systemd.visit()).command(program).unwrap();
        command.args(arguments);
        output(command).unwrap()
    }
}

/// The commands of a page of the documentation: what its `sh` blocks say, one after the other.
pub fn documented(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    let commands: String = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(commands.lines().count() > 8, "{commands}");
    commands
}

/// What a bash script begins with, so that `touchstone` is the program under test.
pub fn alias() -> String {
    format!("shopt -s expand_aliases\nalias touchstone={TOUCHSTONE}\n")
}

/// An event log among the seeds of the fuzz target; `ovmf-2025.02` is one of a real boot.
pub fn event_log(name: &str) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let log = checkout.join("checks/fuzz/corpus/event_log").join(name);
    log.canonicalize().unwrap()
}

/// Bytes without a pattern, the same in each run.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Fails with the place of the first difference instead of printing megabytes.
pub fn assert_same_bytes(what: &str, ours: &[u8], theirs: &[u8]) {
    let same = ours
        .iter()
        .zip(theirs)
        .position(|(ours, theirs)| ours != theirs);
    assert_eq!(same, None, "{what}: the first byte that differs");
    assert_eq!(ours.len(), theirs.len(), "{what}: length");
}
