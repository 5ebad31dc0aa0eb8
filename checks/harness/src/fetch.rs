//! Package files on their way into the folder of archives, with their progress.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::debian::Package;
use crate::progress::Stage;

/// Shows how many bytes have arrived while `work` fetches them.
pub(crate) fn fetch(
    name: &str,
    archives: &Path,
    packages: &[Package],
    work: impl FnOnce() -> Result<()> + Send,
) -> Result<()> {
    let total: u64 = packages.iter().map(|package| package.size).sum();
    let stage = Stage::of_bytes(name, total);
    let arrived = || -> u64 {
        let size = |path: PathBuf| path.metadata().map_or(0, |file| file.len());
        packages
            .iter()
            .map(|package| {
                size(archives.join(&package.file))
                    .max(size(archives.join("partial").join(&package.file)))
            })
            .sum()
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(work);
        while !running.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            stage.at(arrived());
        }
        running
            .join()
            .unwrap_or_else(|_| bail!("the thread that fetches packages ended early"))
    })?;
    stage.done(&indicatif::DecimalBytes(total).to_string());
    Ok(())
}
