//! The ESP of a machine between two boots, by mtools.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::prepared::{Prepared, checked};
use super::{disk, gpt, guard, sparse};

/// What mtools call the root of an image.
const ROOT: &str = "::/";
/// A file that is on its way to or from the ESP.
const HANDED: &str = "handed";

impl Prepared<'_> {
    /// Passes when `fsck.fat` finds nothing to mend; the error has what it found.
    ///
    /// # Errors
    /// Otherwise, or when it cannot be run.
    pub fn check_esp(&self) -> Result<()> {
        let copy = self.folder().join(HANDED);
        let disk = self.disk();
        let table = File::open(&disk).with_context(|| disk.display().to_string())?;
        let part = gpt::esp(&table).with_context(|| disk.display().to_string())?;
        sparse::extract(&disk, part, &copy)?;
        let mut check = self.programs().command("fsck.fat", self.folder())?;
        check.arg("-n").arg(&copy);
        let checked = guard::run(check);
        fs::remove_file(&copy)?;
        checked
    }

    /// The names of the files in a folder of the ESP, sorted; none where there is no such folder.
    ///
    /// # Errors
    /// When mtools cannot be started.
    pub fn esp_names(&self, folder: &str) -> Result<Vec<String>> {
        let mut list = self.mtools("mdir")?;
        list.arg("-b").arg(format!("{ROOT}{folder}"));
        let listed = list.output().context("starting mdir")?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = listed.lines().filter(|line| !line.ends_with('/'));
        let names = names.filter_map(|line| line.rsplit('/').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// The bytes of a file on the ESP.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read_esp(&self, path: &str) -> Result<Vec<u8>> {
        checked(path)?;
        let handed = self.handed();
        let mut copy = self.mtools("mcopy")?;
        copy.arg("-no").arg(format!("{ROOT}{path}")).arg(&handed);
        guard::run(copy).with_context(|| format!("{path} of the ESP"))?;
        let bytes = fs::read(&handed).with_context(|| handed.display().to_string())?;
        fs::remove_file(&handed)?;
        Ok(bytes)
    }

    /// Writes a file of the ESP, over one that is there; its folder has to be there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_esp(&self, path: &str, bytes: &[u8]) -> Result<()> {
        checked(path)?;
        let handed = self.handed();
        fs::write(&handed, bytes)?;
        let mut copy = self.mtools("mcopy")?;
        copy.arg("-Qo").arg(&handed).arg(format!("{ROOT}{path}"));
        guard::run(copy).with_context(|| format!("{path} of the ESP"))?;
        Ok(fs::remove_file(&handed)?)
    }

    /// Removes a file of the ESP.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove_esp(&self, path: &str) -> Result<()> {
        checked(path)?;
        let mut remove = self.mtools("mdel")?;
        remove.arg(format!("{ROOT}{path}"));
        guard::run(remove).with_context(|| format!("{path} of the ESP"))
    }

    fn handed(&self) -> PathBuf {
        self.folder().join(HANDED)
    }

    /// One of mtools on this ESP.
    fn mtools(&self, program: &str) -> Result<Command> {
        let mut command = self.programs().command(program, self.folder())?;
        command.arg("-i").arg(disk::image(self.folder()));
        Ok(command)
    }
}
