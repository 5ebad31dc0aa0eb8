//! The order of the wings: arrows point down only, and inside a wing only where the architecture says so.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata};

/// The wings of `rust/`, the lowest first.
const WINGS: [&str; 4] = ["formats", "trust", "compose", "doors"];

/// Arrows inside a wing.
const INSIDE: [(&str, &str); 8] = [
    ("bootspec", "store"),
    ("nix-database", "store"),
    ("measure", "sign"),
    ("token", "sign"),
    ("tpm", "sign"),
    ("operations", "artifacts"),
    ("artifacts", "esp"),
    ("agent", "artifacts"),
];

/// Checks every dependency between the workspace's crates.
pub fn check(metadata: &Metadata) -> Result<()> {
    let root = &metadata.workspace_root;
    let folders: BTreeMap<&str, String> = metadata
        .packages
        .iter()
        .filter_map(|package| {
            let folder = package.manifest_path.parent()?.strip_prefix(root).ok()?;
            Some((package.name.as_str(), folder.to_string()))
        })
        .collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            let Some((from, to)) = folders
                .get(package.name.as_str())
                .zip(folders.get(dependency.name.as_str()))
            else {
                continue;
            };
            if !allowed(from, to, dependency.kind == DependencyKind::Development) {
                wrong.push(format!("{from} must not depend on {to}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!(
            "the order of the wings is doors → compose → trust → formats:\n{}",
            wrong.join("\n")
        );
    }
    Ok(())
}

/// Whether the crate in folder `from` may depend on the one in `to`. Automation and checks may use everything,
/// and tests may use them.
fn allowed(from: &str, to: &str, for_tests: bool) -> bool {
    let (Some(from), to) = (room(from), room(to)) else {
        return true;
    };
    match to {
        None => for_tests,
        Some(to) if from.0 == to.0 => INSIDE.contains(&(from.1, to.1)),
        Some(to) => to.0 < from.0,
    }
}

/// The wing (0 is the lowest) and the room that a folder is; none for automation and checks.
fn room(folder: &str) -> Option<(usize, &str)> {
    let (wing, room) = folder.strip_prefix("rust/")?.split_once('/')?;
    Some((WINGS.iter().position(|name| *name == wing)?, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down() {
        assert!(allowed("rust/doors/cli", "rust/formats/pe", false));
        assert!(!allowed("rust/formats/pe", "rust/trust/sign", false));
        assert!(!allowed("rust/formats/pe", "rust/trust/sign", true));
        assert!(allowed("rust/doors/capi", "rust/compose/operations", false));
        assert!(!allowed("rust/doors/capi", "rust/doors/cli", false));
    }

    #[test]
    fn inside_a_wing_only_the_named_arrows_count() {
        assert!(allowed("rust/trust/measure", "rust/trust/sign", false));
        assert!(!allowed("rust/trust/sign", "rust/trust/measure", false));
        assert!(!allowed("rust/formats/pe", "rust/formats/store", false));
    }

    #[test]
    fn the_harness_is_for_tests_alone_and_automation_may_use_everything() {
        assert!(allowed("rust/compose/operations", "checks/harness", true));
        assert!(!allowed("rust/compose/operations", "checks/harness", false));
        assert!(allowed("rust/xtask", "rust/compose/operations", false));
        assert!(allowed("checks/harness", "rust/trust/sign", false));
    }
}
