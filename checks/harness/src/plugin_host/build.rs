//! The build of a Nix with shared libraries, inside its root.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::steps::{EDITS, Edit, OPTIONS};
use super::{PREFIX, PluginHost};
use crate::debian::Package;
use crate::enter::{Root, Visit};
use crate::nix::output;
use crate::progress::Stage;

/// Where the sources are, seen from inside the root.
const SOURCES: &str = "/sources";

/// The file, beside what is built, with all that the build said.
const LOG: &str = "build.log";

/// How many lines of it an error shows.
const SHOWN: usize = 30;

/// Builds the source package of these files into `folder/nix`.
///
/// # Errors
/// When a step fails, with the end of what it said.
pub(crate) fn build(root: &Root, archives: &Path, files: &[Package], folder: &Path) -> Result<()> {
    let stage = Stage::of_steps("Building a Nix that loads plugins", 0);
    let [nix, sources] = ["nix", "sources"].map(|name| folder.join(name));
    fs::create_dir(&nix)?;
    fs::create_dir(&sources)?;
    unpack(root, archives, files, &sources)?;
    patch(root, &sources)?;
    EDITS.iter().try_for_each(|edit| apply(edit, &sources))?;
    let visit = root.visit().bind_at(&sources, SOURCES);
    let visit = visit.bind_at(&nix, PREFIX).folder(SOURCES);
    let log = folder.join(LOG);
    step(configure(&visit)?, &log, |_| {})?;
    step(compile(&visit)?, &log, |line| {
        if let Some((at, total)) = steps_of(line) {
            stage.total(total);
            stage.at(at);
        }
    })?;
    step(install(&visit)?, &log, |_| {})?;
    let host = PluginHost {
        root: root.path().to_owned(),
        nix,
    };
    let mut version = host.visit().command(host.program("nix"))?;
    version.arg("--version");
    let version = output(version)?;
    fs::remove_dir_all(sources)?;
    stage.done(version.trim());
    Ok(())
}

/// Unpacks the upstream sources, and over them Debian's folder.
fn unpack(root: &Root, archives: &Path, files: &[Package], into: &Path) -> Result<()> {
    let file = |part: &str| {
        let found = files.iter().find(|package| package.file.contains(part));
        let found = found.with_context(|| format!("the source package has no file *{part}*"))?;
        Ok::<PathBuf, anyhow::Error>(archives.join(&found.file))
    };
    for (part, stripped) in [(".orig.tar.", "1"), (".debian.tar.", "0")] {
        let file = file(part)?;
        let mut command = root.visit().show(&file).bind(into).command("tar")?;
        command.arg("--extract").arg("--file").arg(&file);
        command.args(["--no-same-owner", "--strip-components", stripped]);
        command.arg("--directory").arg(into);
        output(command).with_context(|| format!("unpacking {}", file.display()))?;
    }
    Ok(())
}

/// Applies Debian's patches in their order.
fn patch(root: &Root, sources: &Path) -> Result<()> {
    let folder = sources.join("debian/patches");
    let series = fs::read_to_string(folder.join("series"))?;
    let names = series
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for name in names {
        let visit = root.visit().bind(sources).folder(sources);
        let mut command = visit.command("patch")?;
        command.args(["--strip", "1", "--forward", "--silent", "--input"]);
        command.arg(folder.join(name));
        output(command).with_context(|| format!("Debian's patch {name}"))?;
    }
    Ok(())
}

/// Changes a file, of which the text must be as the edit was written for.
fn apply(edit: &Edit, sources: &Path) -> Result<()> {
    let path = sources.join(edit.file);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    if !text.contains(edit.from) {
        bail!(
            "{} of Debian's source package is not as the recipe knows it (no {:?}): bring checks/harness/src/plugin_host/steps.rs up to date",
            edit.file,
            edit.from
        );
    }
    Ok(fs::write(&path, text.replace(edit.from, edit.to))?)
}

fn configure(visit: &Visit) -> Result<Command> {
    let mut command = visit.command("meson")?;
    command.args(["setup", "build", "--prefix", PREFIX]);
    command.arg(format!("-Dcpp_link_args=-Wl,-rpath,{PREFIX}/lib"));
    command.args(OPTIONS);
    Ok(command)
}

fn compile(visit: &Visit) -> Result<Command> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = visit.command("ninja")?;
    command.args(["-C", "build", "-j", &processors.to_string()]);
    Ok(command)
}

fn install(visit: &Visit) -> Result<Command> {
    let mut command = visit.command("meson")?;
    command.args(["install", "-C", "build", "--no-rebuild", "--quiet"]);
    Ok(command)
}

/// Runs a step to its end; `heard` is told every line that it prints.
fn step(mut command: Command, log: &Path, heard: impl Fn(&str)) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(log)?;
    command.stderr(file.try_clone()?).stdout(Stdio::piped());
    let mut child = command.stdin(Stdio::null()).spawn()?;
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|pipe| BufReader::new(pipe).lines())
    {
        let line = line?;
        heard(&line);
        writeln!(file, "{line}")?;
    }
    let status = child.wait()?;
    if !status.success() {
        let text = fs::read_to_string(log)?;
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.get(lines.len().saturating_sub(SHOWN)..);
        bail!(
            "building Nix ended with {status}; all of it is in {}, which ends with:\n{}",
            log.display(),
            end.unwrap_or_default().join("\n")
        );
    }
    Ok(())
}

/// The numbers of ninja's line `[12/88] Compiling …`.
fn steps_of(line: &str) -> Option<(u64, u64)> {
    let (at, total) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    Some((at.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests;
