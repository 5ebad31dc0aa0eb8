//! Remembers the version of the Nix that the plugin is built for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let nix = pkg_config::Config::new()
        .cargo_metadata(false)
        .env_metadata(true)
        .probe("nix-expr");
    match nix {
        Ok(nix) => println!("cargo::rustc-env=TOUCHSTONE_NIX_VERSION={}", nix.version),
        Err(error) => {
            println!(
                "cargo::error=the plugin needs the development files of the Nix that loads it (nix-expr.pc): {error}"
            );
            std::process::exit(1);
        }
    }
}
