//! Compiles the C++ half against the Nix that pkg-config finds, and remembers its version.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_NIX").is_some() {
        glue::compile();
    }
}

mod glue {
    use std::path::{Path, PathBuf};

    /// The C++ files, in `glue/`.
    const SOURCES: [&str; 5] = ["answer", "call", "files", "register", "walk"];

    /// Nix compiles itself with these headers included before everything else, up to 2.27; later ones include them where they need them.
    const CONFIGURATION: [&str; 3] = ["config-util.hh", "config-store.hh", "config-expr.hh"];

    pub fn compile() {
        let nix = probe();
        let mut compiler = cxx_build::bridge("src/bridge.rs");
        compiler
            .std(standard(&nix.version))
            .includes(&nix.include_paths);
        // Nix' headers are not ours to mend.
        for warning in ["-Wno-unused-parameter", "-Wno-missing-field-initializers"] {
            compiler.flag_if_supported(warning);
        }
        for header in configuration(&nix.include_paths) {
            compiler.flag("-include").flag(header);
        }
        for source in SOURCES {
            compiler.file(format!("glue/{source}.cc"));
        }
        compiler.compile("touchstone-nix-glue");
        println!("cargo::rerun-if-changed=glue");
        println!("cargo::rustc-env=TOUCHSTONE_NIX_VERSION={}", nix.version);
    }

    /// The C++ that the headers of that version are written in.
    fn standard(version: &str) -> &'static str {
        let mut numbers = version.split(|c: char| !c.is_ascii_digit());
        let (major, minor) = (numbers.next(), numbers.next());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
        if (number(major), number(minor)) < (Some(2), Some(31)) {
            "c++20"
        } else {
            "c++23"
        }
    }

    /// Nix' libraries are there already when Nix loads a plugin: nothing is linked with them.
    fn probe() -> pkg_config::Library {
        match pkg_config::Config::new()
            .cargo_metadata(false)
            .env_metadata(true)
            .probe("nix-expr")
        {
            Ok(found) => found,
            Err(error) => {
                println!(
                    "cargo::error=the plugin needs the development files of the Nix that loads it (nix-expr.pc and its headers): {error}"
                );
                std::process::exit(1);
            }
        }
    }

    fn configuration(includes: &[PathBuf]) -> impl Iterator<Item = &'static str> {
        let found = |header: &Path| includes.iter().any(|folder| folder.join(header).is_file());
        CONFIGURATION
            .into_iter()
            .filter(move |header| found(Path::new(header)))
            .collect::<Vec<_>>()
            .into_iter()
    }
}
