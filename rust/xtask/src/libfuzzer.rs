//! libFuzzer is C++: where the machine has no compiler for it, Debian's is used inside an unpacked root.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use touchstone_harness::Root;
use touchstone_harness::cache::{self, Cache};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::setup::Setup;

/// What tells the build script of `libfuzzer-sys` that libFuzzer is compiled already: nothing where the
/// machine can compile it.
pub fn variables(fuzz_manifest: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::var_os("CXX").is_some()
        || std::env::split_paths(&path).any(|folder| folder.join("c++").is_file())
    {
        return Ok(Vec::new());
    }
    let (version, sources) = sources(fuzz_manifest)?;
    let cache = Cache::open()?;
    let compiler = Setup::new(&cache, false).compiler()?;
    let folder = cache.folder("tools")?.join(format!("libfuzzer-{version}"));
    cache::complete(&folder, |folder| compile(&compiler, &sources, folder))?;
    Ok(vec![
        ("CUSTOM_LIBFUZZER_PATH", folder.join("libfuzzer.a").into()),
        ("CUSTOM_LIBFUZZER_STD_CXX", "static=stdc++".into()),
    ])
}

/// The version of `libfuzzer-sys` and the folder of its C++ files.
fn sources(fuzz_manifest: &Path) -> Result<(String, PathBuf)> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(fuzz_manifest)
        .exec()?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "libfuzzer-sys")
        .context("checks/fuzz does not depend on libfuzzer-sys")?;
    let folder = package.manifest_path.with_file_name("libfuzzer");
    Ok((package.version.to_string(), folder.into()))
}

/// Puts `libfuzzer.a` and the C++ library that it needs into `folder`.
fn compile(compiler: &Root, sources: &Path, folder: &Path) -> Result<()> {
    let stage = Stage::begin("Compiling libFuzzer with Debian's compiler, once");
    let visit = compiler.visit().show(sources).bind(folder).folder(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(sources)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cpp"))
        .collect();
    files.sort();
    let mut compile = visit.command("g++")?;
    compile
        .args([
            "-c",
            "-O1",
            "-fPIC",
            "-fno-omit-frame-pointer",
            "-std=c++17",
        ])
        .args(&files);
    output(compile).context("compiling libFuzzer")?;
    let objects = files
        .iter()
        .filter_map(|path| Some(Path::new(path.file_stem()?).with_extension("o")));
    let mut archive = visit.command("ar")?;
    archive.args(["rcs", "libfuzzer.a"]).args(objects);
    output(archive).context("archiving libFuzzer")?;
    let mut library = visit.command("g++")?;
    library.arg("-print-file-name=libstdc++.a");
    let inside = fs::canonicalize(
        compiler
            .path()
            .join(output(library)?.trim().trim_start_matches('/')),
    )?;
    fs::copy(inside, folder.join("libstdc++.a")).context("taking the C++ library")?;
    stage.done("ready");
    Ok(())
}
