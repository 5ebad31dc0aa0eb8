//! The machine's apt under a state of its own: nothing of the machine's package state is read or changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use super::{Mirror, Suite};

/// One package file, as apt resolved it from a verified index.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Package {
    /// The file's name in the folder of archives.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// apt for one suite and its architectures.
#[derive(Debug)]
pub struct Apt {
    suite: Suite,
    state: PathBuf,
    archives: PathBuf,
}

impl Apt {
    /// Prepares the private state in `state`; package files are kept in `archives`.
    ///
    /// # Errors
    /// When the state's files cannot be written.
    pub fn prepare(suite: Suite, mirror: &Mirror, state: &Path, archives: &Path) -> Result<Apt> {
        for folder in ["lists/partial", "etc", "no-archives/partial"] {
            fs::create_dir_all(state.join(folder))?;
        }
        fs::create_dir_all(archives.join("partial"))?;
        let apt = Apt {
            suite,
            state: state.to_owned(),
            archives: archives.to_owned(),
        };
        apt.adopt_machine_settings()?;
        fs::write(state.join("status"), "")?;
        fs::write(state.join("sources.list"), source_line(suite, mirror))?;
        fs::write(state.join("etc/zz-touchstone"), apt.settings())?;
        let parts = state.join("etc");
        fs::write(
            state.join("apt.conf"),
            format!(
                "Dir::Etc::parts \"{}\";\nDir::Etc::main \"/dev/null\";\n",
                parts.display()
            ),
        )?;
        Ok(apt)
    }

    /// The machine's own settings (a proxy, say) count: ours come after them and win.
    fn adopt_machine_settings(&self) -> Result<()> {
        let parts = self.state.join("etc");
        for entry in fs::read_dir(&parts)? {
            fs::remove_file(entry?.path())?;
        }
        if let Ok(entries) = fs::read_dir("/etc/apt/apt.conf.d") {
            for entry in entries {
                let entry = entry?;
                symlink(entry.path(), parts.join(entry.file_name()))?;
            }
        }
        if Path::new("/etc/apt/apt.conf").exists() {
            symlink("/etc/apt/apt.conf", parts.join("zy-main"))?;
        }
        Ok(())
    }

    fn settings(&self) -> String {
        let state = self.state.display();
        let archives = self.archives.display();
        let architectures: String = self
            .suite
            .architectures()
            .iter()
            .map(|name| format!("\"{name}\"; "))
            .collect();
        format!(
            "#clear APT::Update;\n#clear DPkg;\n#clear APT::Architectures;\n\
             APT::Architecture \"amd64\";\nAPT::Architectures {{ {architectures} }};\n\
             APT::Install-Recommends \"false\";\nAPT::Sandbox::User \"root\";\n\
             APT::Get::List-Cleanup \"true\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
             Acquire::ForceHash \"SHA256\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Dir::State \"{state}\";\nDir::State::lists \"{state}/lists\";\nDir::State::status \"{state}/status\";\n\
             Dir::Cache \"{state}\";\nDir::Cache::archives \"{archives}\";\n\
             Dir::Cache::pkgcache \"pkgcache.bin\";\nDir::Cache::srcpkgcache \"\";\n\
             Dir::Etc::sourcelist \"{state}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\nDir::Etc::preferencesparts \"/dev/null\";\n"
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.state.join("apt.conf"))
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Fetches and verifies the index. A note is returned when it had expired and was accepted all
    /// the same, which happens for an optional suite only.
    ///
    /// # Errors
    /// When the mirror does not answer or the signature is not good.
    pub fn update(&self) -> Result<Option<String>> {
        let update = |options: &[&str]| {
            let mut command = self.command("apt-get");
            command
                .args(["-q", "-o", "APT::Update::Error-Mode=any"])
                .args(options)
                .arg("update");
            run(command)
        };
        match update(&[]) {
            Ok(_) => Ok(None),
            Err(error) if self.suite.optional() && format!("{error:#}").contains("expired") => {
                update(&["-o", "Acquire::Check-Valid-Until=false"])?;
                Ok(Some(format!(
                    "{}: the package index has expired; its signature is good, so it is used",
                    self.suite.name()
                )))
            }
            Err(error) => Err(error),
        }
    }

    /// The packages and everything that they depend on, without recommendations.
    ///
    /// # Errors
    /// When a package is unknown or its dependencies cannot be met.
    pub fn closure(&self, wanted: &[&str]) -> Result<Vec<Package>> {
        // apt leaves out what is in its folder of archives already: ask with an empty one.
        let empty = self.state.join("no-archives");
        let mut command = self.install(wanted, "--print-uris");
        command
            .arg("-o")
            .arg(format!("Dir::Cache::archives={}", empty.display()));
        let output = run(command)?;
        parse_uris(&String::from_utf8_lossy(&output.stdout))
    }

    /// Fetches what [`Apt::closure`] names into the folder of archives, hashes checked.
    ///
    /// # Errors
    /// When a file cannot be fetched or is not the indexed one.
    pub fn fetch_closure(&self, wanted: &[&str]) -> Result<()> {
        run(self.install(wanted, "--download-only")).map(drop)
    }

    fn install(&self, wanted: &[&str], how: &str) -> Command {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "-y", "--no-install-recommends", how, "install"])
            .args(wanted);
        command
    }

    /// The packages alone (`name` or `name:architecture`), without what they depend on.
    ///
    /// # Errors
    /// When a package is unknown.
    pub fn alone(&self, wanted: &[String]) -> Result<Vec<Package>> {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "--print-uris", "download"])
            .args(wanted)
            .current_dir(&self.state);
        parse_uris(&String::from_utf8_lossy(&run(command)?.stdout))
    }

    /// Fetches what [`Apt::alone`] names into the folder of archives, hashes checked.
    ///
    /// # Errors
    /// When a file cannot be fetched or is not the indexed one.
    pub fn fetch_alone(&self, wanted: &[String]) -> Result<()> {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "download"])
            .args(wanted)
            .current_dir(&self.archives);
        run(command).map(drop)
    }

    /// The files of a source package, from the index of sources.
    ///
    /// # Errors
    /// When there is no such source package.
    pub fn source(&self, name: &str) -> Result<Vec<Package>> {
        let output = run(self.of_source(name, "--print-uris"))?;
        parse_uris(&String::from_utf8_lossy(&output.stdout))
    }

    /// Fetches what [`Apt::source`] names into the folder of archives, hashes checked.
    ///
    /// # Errors
    /// When a file cannot be fetched or is not the indexed one.
    pub fn fetch_source(&self, name: &str) -> Result<()> {
        let mut command = self.of_source(name, "--download-only");
        command.current_dir(&self.archives);
        run(command).map(drop)
    }

    /// Asked where no such file is: apt leaves out what is there already.
    fn of_source(&self, name: &str, how: &str) -> Command {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "--only-source", "--download-only", how])
            .args(["source", name])
            .current_dir(self.state.join("no-archives"));
        command
    }

    /// The package that a meta package stands for: its first dependency whose name begins with `prefix`.
    ///
    /// # Errors
    /// When it has no such dependency.
    pub fn behind_meta(&self, meta: &str, prefix: &str) -> Result<String> {
        let mut command = self.command("apt-cache");
        command.args(["depends", meta]);
        let output = run(command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with(prefix));
        found
            .map(str::to_owned)
            .with_context(|| format!("{meta} depends on no package named {prefix}…"))
    }
}

fn source_line(suite: Suite, mirror: &Mirror) -> String {
    let keyring = mirror
        .keyring
        .as_ref()
        .map(|path| format!("[signed-by={}] ", path.display()));
    let keyring = keyring.unwrap_or_default();
    let line = |kind: &str| format!("{kind} {keyring}{} {} main\n", mirror.uri, suite.name());
    match suite.has_sources() {
        true => line("deb") + &line("deb-src"),
        false => line("deb"),
    }
}

/// Runs to the end; the error carries what the program said.
fn run(mut command: Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .with_context(|| format!("starting {name}: is apt installed?"))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("E:") || line.starts_with("W:"))
        .collect();
    let said = if errors.is_empty() {
        text.trim().to_owned()
    } else {
        errors.join("\n")
    };
    bail!("{name} failed: {said}")
}

/// The lines `'URI' FILE SIZE SHA256:HEX` of `--print-uris`.
fn parse_uris(text: &str) -> Result<Vec<Package>> {
    let lines = text.lines().filter(|line| line.starts_with('\''));
    lines
        .map(|line| {
            let mut words = line.split(' ').skip(1);
            let (file, size, hash) = (words.next(), words.next(), words.next());
            let (Some(file), Some(size), Some(sha256)) = (
                file,
                size,
                hash.and_then(|hash| hash.strip_prefix("SHA256:")),
            ) else {
                bail!("apt printed a line without file, size and SHA-256: {line}")
            };
            Ok(Package {
                file: file.to_owned(),
                size: size.parse()?,
                sha256: sha256.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_apt_prints_and_refuses_a_line_without_sha256() {
        let good = "Reading…\n'http://m.test/a_1.deb' a_1%3a2_amd64.deb 12 SHA256:ab\n";
        let expected = Package {
            file: "a_1%3a2_amd64.deb".into(),
            size: 12,
            sha256: "ab".into(),
        };
        assert_eq!(parse_uris(good).unwrap(), [expected]);
        assert!(parse_uris("'http://m.test/a.deb' a.deb 12 MD5Sum:ab").is_err());
    }
}
