//! The machine's compilers: a machine that builds Rust has one for C, to link with. Where there is none for C++, Debian's compiles, and the
//! machine's links.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use touchstone_harness::cache::Cache;
use touchstone_harness::nix::output;
use touchstone_harness::setup::Setup;
use touchstone_harness::{Inputs, inputs};

/// How a program finds the library.
#[derive(Clone, Copy, Debug)]
pub enum Linked {
    /// With `libtouchstone.so.1`, at run time.
    Shared,
    /// With `libtouchstone.a`, once and for all.
    Archive,
}

/// A folder in which programs are compiled, with the library as it is installed.
pub struct Workshop {
    pub inputs: Inputs,
    folder: TempDir,
}

impl Workshop {
    /// Installs the library: header, both forms and touchstone.pc.
    pub fn new() -> Workshop {
        let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
        let workshop = Workshop { inputs, folder };
        for part in ["include", "lib/pkgconfig"] {
            fs::create_dir_all(workshop.path(part)).unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let header = "include/touchstone.h";
        fs::copy(source.join(header), workshop.path(header)).unwrap();
        let library = workshop.inputs.library.as_ref();
        let library = library.expect("libtouchstone is not built: run `cargo xtask setup`");
        fs::copy(
            library.join("libtouchstone.so"),
            workshop.path("lib/libtouchstone.so.1"),
        )
        .unwrap();
        let link = workshop.path("lib/libtouchstone.so");
        std::os::unix::fs::symlink("libtouchstone.so.1", link).unwrap();
        let archive = workshop.path("lib/libtouchstone.a");
        fs::copy(library.join("libtouchstone.a"), archive).unwrap();
        let description = fs::read_to_string(source.join("touchstone.pc.in")).unwrap();
        let description = description
            .replace("@prefix@", workshop.path("").to_str().unwrap())
            .replace("@version@", env!("CARGO_PKG_VERSION"));
        fs::write(workshop.path("lib/pkgconfig/touchstone.pc"), description).unwrap();
        workshop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a field of touchstone.pc says, as `Libs:`, or a variable, as `archive=`; the variables in it replaced.
    pub fn described(&self, what: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path("lib/pkgconfig/touchstone.pc")).unwrap();
        let value = |what: &str| -> String {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(what));
            found
                .unwrap_or_else(|| panic!("no {what} in {text}"))
                .trim()
                .to_owned()
        };
        let mut words = value(what);
        while let Some((before, rest)) = words.split_once("${") {
            let (name, after) = rest.split_once('}').unwrap();
            words = format!("{before}{}{after}", value(&format!("{name}=")));
        }
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a C or C++ file to `NAME.o`, by what its ending says.
    fn object(&self, source: &Path, standard: &str) -> PathBuf {
        let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"];
        let object = self.path(source.file_stem().unwrap().to_str().unwrap());
        let object = object.with_extension("o");
        let mut command = match source.extension().unwrap().to_str().unwrap() {
            "c" => Command::new("cc"),
            _ => self.cxx(source),
        };
        command.args(strict).arg(format!("-std={standard}"));
        command.args(self.described("Cflags:")).args(["-g", "-c"]);
        command.arg("-o").arg(&object).arg(source);
        output(command).unwrap();
        object
    }

    fn cxx(&self, source: &Path) -> Command {
        if on_path("c++") {
            return Command::new("c++");
        }
        let visit = debians().visit().show(source.parent().unwrap());
        visit.bind(self.folder.path()).command("g++").unwrap()
    }

    /// Links objects to the program `name`.
    fn link(&self, name: &str, object: &Path, linked: Linked) -> PathBuf {
        let program = self.path(name);
        let mut command = Command::new("cc");
        command.arg("-pthread").arg("-o").arg(&program).arg(object);
        match linked {
            Linked::Shared => {
                let folder = self.path("lib");
                command.arg(format!("-Wl,-rpath,{}", folder.display()));
                command.args(self.described("Libs:"));
            }
            Linked::Archive => {
                command.args(self.described("archive="));
            }
        }
        if on_path("c++") {
            command.arg("-lstdc++");
        } else {
            command.arg(debians_library()).arg("-lm");
        }
        output(command).unwrap();
        program
    }

    /// Compiles and links a file.
    pub fn program(&self, source: &Path, standard: &str, linked: Linked) -> PathBuf {
        let object = self.object(source, standard);
        let name = source.file_stem().unwrap().to_str().unwrap();
        self.link(&format!("{name}-{linked:?}"), &object, linked)
    }

    /// Compiles a file and nothing more.
    pub fn compiles(&self, source: &Path, standard: &str) {
        self.object(source, standard);
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn debians() -> touchstone_harness::Root {
    let cache = Cache::open().unwrap();
    Setup::new(&cache, false).compiler().unwrap()
}

/// The C++ library that goes with Debian's compiler.
fn debians_library() -> PathBuf {
    let root = debians();
    let mut command = root.visit().command("g++").unwrap();
    command.arg("-print-file-name=libstdc++.a");
    let inside = output(command).unwrap();
    root.path().join(inside.trim().trim_start_matches('/'))
}

/// A program of this folder's `programs`.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}
