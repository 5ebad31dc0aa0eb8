//! Profiles, beside a real Nix: what it does to a profile and what we do are the same, and each goes on where the other ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use touchstone_harness::nix::output;
use touchstone_harness::{Nix, inputs};
use touchstone_install::Host;
use touchstone_install::activate::profile::{Profile, ProfileError};
use touchstone_store::StorePath;

const PROFILE: &str = "/nix/var/nix/profiles/system";

/// A machine with a Nix and some store paths.
struct Machine {
    folder: TempDir,
    nix: Nix,
    paths: Vec<StorePath>,
}

/// What is done to the profile.
#[derive(Clone, Copy, Debug)]
enum Step {
    Set(usize),
    Rollback,
    /// By Nix on both machines: this program switches to no generation by number, and removes none.
    Switch(u64),
    Delete(u64),
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nix = Nix::new(&inputs(), folder.path()).unwrap();
        let nix = nix.bind(folder.path());
        let mut paths = Vec::new();
        for name in ["a", "b", "c"] {
            let file = folder.path().join(name);
            fs::write(&file, name).unwrap();
            let mut add = nix.command("nix-store").unwrap();
            add.arg("--add").arg(&file);
            let path = output(add).unwrap();
            paths.push(StorePath::parse(path.trim()).unwrap());
        }
        Self { folder, nix, paths }
    }

    fn nix_env(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.nix.command("nix-env").unwrap();
        command.args(["--profile", PROFILE]).args(arguments);
        output(command).map_err(|error| error.to_string())
    }

    /// Whether the step could be done.
    fn by_nix(&self, step: Step) -> bool {
        let done = match step {
            Step::Set(path) => self.nix_env(&["--set", self.paths[path].as_str()]),
            Step::Rollback => self.nix_env(&["--rollback"]),
            Step::Switch(number) => self.nix_env(&["--switch-generation", &number.to_string()]),
            Step::Delete(number) => self.nix_env(&["--delete-generations", &number.to_string()]),
        };
        done.is_ok()
    }

    fn by_us(&self, step: Step) -> bool {
        let profile = self.profile();
        let locked = profile.lock(&|_| ()).unwrap();
        match step {
            Step::Set(path) => locked.set(&self.paths[path], &|_| ()).map(drop).is_ok(),
            Step::Rollback => match locked.rollback() {
                Ok(_) => true,
                Err(ProfileError::NothingBefore { .. }) => false,
                Err(error) => panic!("{error}"),
            },
            Step::Switch(_) | Step::Delete(_) => {
                drop(locked);
                self.by_nix(step)
            }
        }
    }

    fn profile(&self) -> Profile {
        Profile::of(&Host::new(self.folder.path()), None).unwrap()
    }

    /// The profile's links, with what is in them.
    fn links(&self) -> Vec<(String, String)> {
        let folder = self.folder.path().join("nix/var/nix/profiles");
        let mut links: Vec<(String, String)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| name(path).contains("system"))
            .map(|path| {
                let target = fs::read_link(&path).unwrap_or_default();
                (name(&path), target.display().to_string())
            })
            .collect();
        links.sort();
        links
    }

    /// What `nix-env --list-generations` says, without the dates.
    fn listed(&self) -> Vec<(u64, bool)> {
        let text = self.nix_env(&["--list-generations"]).unwrap();
        let line = |line: &str| {
            let number = line.split_whitespace().next().unwrap().parse().unwrap();
            (number, line.contains("(current)"))
        };
        text.lines().map(line).collect()
    }

    /// The same by us.
    fn generations(&self) -> Vec<(u64, bool)> {
        let generations = self.profile().generations().unwrap();
        let current = |number| generations.current == Some(number);
        let all = generations.all.iter();
        all.map(|one| (one.number, current(one.number))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_profile_is_changed_as_nix_changes_it() {
    use Step::{Delete, Rollback, Set, Switch};
    let steps = [
        Rollback,
        Set(0),
        Set(0),
        Rollback,
        Set(1),
        Set(2),
        Rollback,
        Set(2),
        Set(0),
        Delete(3),
        Rollback,
        Rollback,
        Set(1),
        Switch(2),
        Rollback,
        Rollback,
        Set(1),
        Set(0),
        Delete(6),
        Set(0),
    ];
    let (theirs, ours) = (Machine::new(), Machine::new());
    for (number, step) in steps.into_iter().enumerate() {
        let by_us = number % 3 != 2;
        let done = if by_us {
            ours.by_us(step)
        } else {
            ours.by_nix(step)
        };
        let what = format!("step {number}, {step:?}, by us: {by_us}");
        assert_eq!(done, theirs.by_nix(step), "{what}");
        assert_eq!(ours.links(), theirs.links(), "{what}");
        assert_eq!(ours.generations(), theirs.listed(), "{what}");
    }
    assert_eq!(ours.listed(), ours.generations());
}

#[test]
fn nix_waits_for_us() {
    let machine = Machine::new();
    for path in [0, 1] {
        assert!(machine.by_us(Step::Set(path)));
    }
    let profile = machine.profile();
    let held = profile.lock(&|_| ()).unwrap();
    let mut command = machine.nix.command("nix-env").unwrap();
    command.args(["--profile", PROFILE, "--rollback"]);
    let mut nix = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(nix.stderr.take().unwrap()).lines();
    let waits = lines.find(|line| {
        line.as_ref()
            .unwrap()
            .contains("waiting for lock on profile")
    });
    assert!(waits.is_some());
    assert_eq!(profile.generations().unwrap().current, Some(2));
    drop(held);
    // To the end, or Nix would have nobody to talk to.
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(nix.wait().unwrap().success(), "{said:?}");
    assert_eq!(profile.generations().unwrap().current, Some(1));
}
