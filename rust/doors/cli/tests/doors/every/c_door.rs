//! The C ABI as a door: the program of docs/c-abi.md, which performs the request on its standard input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use touchstone_harness::nix::output;

use crate::real_nix::RealNix;

/// The program, beside all that it is loaded with, so that it runs in a root of another distribution.
pub struct CDoor {
    folder: PathBuf,
}

/// What starts the program.
const LOADER: &str = "ld-linux-x86-64.so.2";
/// What a call needs, in KiB.
const STACK: u32 = 512;

impl CDoor {
    /// Compiles the program into the folder `c`.
    pub fn new(nix: &RealNix) -> CDoor {
        let folder = nix.work.path("c");
        fs::create_dir(&folder).unwrap();
        let page = include_str!("../../../../../../docs/c-abi.md");
        let program = page.split("```c\n").nth(1).unwrap();
        let program = program.split("```").next().unwrap();
        fs::write(folder.join("perform.c"), program).unwrap();
        let library = nix.work.inputs.library.as_ref();
        let library = library.expect("libtouchstone is not built: run `cargo xtask setup`");
        let shared = library.join("libtouchstone.so");
        fs::copy(&shared, folder.join("libtouchstone.so.1")).unwrap();
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../capi/include");
        let mut compile = Command::new("cc");
        compile.current_dir(&folder).arg("-I").arg(header);
        compile.args(["-o", "perform", "perform.c"]).arg(&shared);
        output(compile).unwrap();
        for file in [LOADER, "libc.so.6", "libgcc_s.so.1"] {
            let mut find = Command::new("cc");
            find.arg(format!("-print-file-name={file}"));
            fs::copy(output(find).unwrap().trim(), folder.join(file)).unwrap();
        }
        CDoor { folder }
    }

    /// The program where it sees the store `store` at `/nix` and the keys as a build does, with as little stack as docs/c-abi.md says.
    pub fn beside_store(&self, nix: &RealNix) -> Command {
        let mut command = nix.beside_store("store", "bash");
        let limited = format!("ulimit -s {STACK}; exec \"$@\"");
        command.env("LC_ALL", "C");
        command.args(["-ec", &limited, "perform"]);
        command
            .arg(self.folder.join(LOADER))
            .arg("--library-path")
            .arg(&self.folder);
        command.arg(self.folder.join("perform"));
        command
    }
}
