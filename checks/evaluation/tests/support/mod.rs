//! A folder, a store of its own, and a Nix that has loaded the plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use touchstone_harness::plugin_host::PREFIX;
use touchstone_harness::{Inputs, Visit, inputs};

/// What the expressions share.
const PRELUDE: &str = include_str!("../prelude.nix");

/// Which objects Nix is told to load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// What is shipped.
    Shipped,
    /// The same with `builtins.touchstone.fault`.
    Faulty,
}

/// A folder that Nix sees at the same path, with files for requests, and a store.
pub struct Desk {
    /// What `cargo xtask setup` prepared.
    pub inputs: Inputs,
    folder: TempDir,
    visit: Visit,
    plugin: Plugin,
}

/// What a run of Nix said.
#[derive(Debug)]
pub struct Said {
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub output: String,
    /// Its messages, the folder's name replaced by `$FOLDER`.
    pub messages: String,
}

impl Desk {
    /// A desk whose Nix has the plugin.
    pub fn new() -> Desk {
        Desk::with(Plugin::Shipped)
    }

    /// A desk whose Nix has this plugin.
    pub fn with(plugin: Plugin) -> Desk {
        let inputs = inputs();
        let folder = tempfile::tempdir().unwrap();
        let host = inputs.plugin_host.as_ref();
        let host = host.expect("no Nix that loads plugins is built: run `cargo xtask setup`");
        let store = folder.path().join("nix");
        fs::create_dir(&store).unwrap();
        let visit = host.visit().bind_at(store, "/nix").bind(folder.path());
        let desk = Desk {
            visit: [Plugin::Shipped, Plugin::Faulty]
                .iter()
                .fold(visit, |visit, plugin| visit.show(package(&inputs, *plugin))),
            inputs,
            folder,
            plugin,
        };
        desk.write("prelude.nix", PRELUDE);
        desk
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a file of the folder is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it is in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Copies a file into the folder.
    pub fn copy(&self, from: impl AsRef<Path>, name: &str) {
        let from = from.as_ref();
        fs::copy(from, self.path(name)).unwrap_or_else(|error| panic!("{from:?}: {error}"));
    }

    /// The object that Nix is told to load.
    pub fn object(&self) -> PathBuf {
        package(&self.inputs, self.plugin).join("lib/nix/plugins/libtouchstone-nix.so")
    }

    /// A program beside Nix, without any argument. It may take 4 GiB and two minutes, so that what runs away fails a test and not the
    /// machine.
    pub fn bare_command(&self, program: &str) -> Command {
        let inside = self.visit.command(program).unwrap();
        let mut command = Command::new("prlimit");
        command.args(["--as=4294967296", "timeout", "--signal=KILL", "120"]);
        command.arg(inside.get_program()).args(inside.get_args());
        command.env_clear();
        command.env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        command.env(
            "PATH",
            format!("{PREFIX}/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
        );
        command.stdin(Stdio::null());
        command
    }

    /// A program of Nix, with the plugin.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.bare_command(program);
        command.args(["--option", "plugin-files"]);
        command.arg(self.object());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, mut command: Command) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let messages = String::from_utf8_lossy(&stderr);
        Said {
            status: status.code(),
            output: String::from_utf8(stdout).unwrap(),
            messages: messages.replace(self.folder().to_str().unwrap(), "$FOLDER"),
        }
    }

    /// Evaluates an expression, which may import `./prelude.nix`, whole; more arguments go before it.
    pub fn evaluate_with(&self, arguments: &[&str], expression: &str) -> Said {
        self.write("expression.nix", expression);
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json", "--read-write-mode"]);
        command.args(arguments).arg(self.path("expression.nix"));
        self.run(command)
    }

    /// The same without more arguments.
    pub fn evaluate(&self, expression: &str) -> Said {
        self.evaluate_with(&[], expression)
    }

    /// The value of an expression behind `with import ./prelude.nix;`, which must be without errors and warnings.
    pub fn value(&self, expression: &str) -> Value {
        self.evaluate(&format!("with import ./prelude.nix;\n{expression}"))
            .value()
    }

    /// What is said when an expression behind `with import ./prelude.nix;` is refused.
    pub fn refusal(&self, expression: &str) -> String {
        self.evaluate(&format!("with import ./prelude.nix;\n{expression}"))
            .refusal()
    }
}

impl Said {
    /// The value of an evaluation that must be without errors and warnings.
    #[track_caller]
    pub fn value(&self) -> Value {
        assert_eq!((self.status, self.messages.as_str()), (Some(0), ""));
        serde_json::from_str(&self.output).unwrap()
    }

    /// The message of one that must end with an error of Nix.
    #[track_caller]
    pub fn refusal(&self) -> String {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert!(self.messages.contains("error:"), "{self:?}");
        self.messages.clone()
    }
}

/// The folders of a build of the plugin, as installed.
fn package(inputs: &Inputs, plugin: Plugin) -> &Path {
    let package = match plugin {
        Plugin::Shipped => &inputs.plugin,
        Plugin::Faulty => &inputs.faulty_plugin,
    };
    let package = package.as_deref();
    package.expect("the plugin is not built: run `cargo xtask setup`")
}

/// A Bootspec document with these members in an extension `org.example`.
pub fn bootspec(members: &str) -> String {
    let base = "/nix/store/00000000000000000000000000000000";
    format!(
        r#"{{
  "org.nixos.bootspec.v1": {{
    "system": "x86_64-linux",
    "init": "{base}-toplevel/init",
    "initrd": "{base}-initrd/initrd",
    "kernel": "{base}-linux/bzImage",
    "kernelParams": ["quiet"],
    "label": "a label",
    "toplevel": "{base}-toplevel"
  }},
  "org.nixos.specialisation.v1": {{}},
  "org.example": {{ {members} }}
}}"#
    )
}

impl Desk {
    /// Runs the static program under test in the folder.
    pub fn touchstone(&self, arguments: &[&str]) {
        let program = self.inputs.touchstone.as_ref();
        let program = program.expect("the static binaries are not built: run `cargo xtask setup`");
        let mut command = Command::new(program);
        command.current_dir(self.folder()).args(arguments);
        let said = self.run(command);
        assert_eq!(said.status, Some(0), "{said:?}");
    }

    /// Makes a UKI of Debian's stub, a kernel and a small initrd.
    pub fn uki(&self, name: &str) {
        self.copy(&self.inputs.kernel["amd64"].vmlinuz, "vmlinuz");
        self.copy(&self.inputs.stub["trixie"]["x64"], "stub.efi");
        self.write("initrd", "an initrd");
        self.write("os-release", "ID=check\nVERSION_ID=1\n");
        let parts = "uki build --compat 257 --stub stub.efi --linux vmlinuz --initrd initrd --cmdline quiet --os-release @os-release --output";
        let arguments: Vec<&str> = parts.split(' ').chain([name]).collect();
        self.touchstone(&arguments);
    }
}

impl Desk {
    /// Runs a command with more arguments behind its own.
    pub fn run_with(&self, mut command: Command, arguments: &[&str]) -> Said {
        command.args(arguments);
        self.run(command)
    }
}

impl Desk {
    /// What `nix repl` says to these lines.
    pub fn repl(&self, lines: &str) -> Said {
        self.write("session", lines);
        let mut command = self.command("nix");
        command.arg("repl");
        command.stdin(fs::File::open(self.path("session")).unwrap());
        self.run(command)
    }
}
