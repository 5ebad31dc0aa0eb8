//! Killed at every step, and at moments of chance: every file is whole, and the next run completes. The program starts itself to be killed,
//! which is why it has a `main` of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

// What `transaction/` needs besides.
#[allow(dead_code)]
#[path = "transaction/scenario.rs"]
mod scenario;
#[allow(dead_code)]
#[path = "transaction/watched.rs"]
mod watched;
#[allow(dead_code)]
#[path = "transaction/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use touchstone_esp::{Content, Desired};
use watched::Watched;
use world::{copy, everything, folder, install, install_on};

type Files = BTreeMap<PathBuf, Option<[u8; 32]>>;

/// The word by which the program knows that it is to be killed.
const VICTIM: &str = "install-and-be-killed";
/// Never reached: it runs to the end.
const NO_STEP: usize = usize::MAX;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, VICTIM, root, step] => victim(Path::new(root), step.parse().unwrap()),
        _ => tests(),
    }
}

fn tests() {
    let tests = [
        trial(
            "killed_at_every_step_every_file_is_whole_and_the_next_run_completes",
            killed_at_every_step_every_file_is_whole_and_the_next_run_completes,
        ),
        trial(
            "killed_while_it_writes_the_next_run_completes",
            killed_while_it_writes_the_next_run_completes,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests.into()).exit();
}

fn trial(name: &str, claim: fn()) -> Trial {
    Trial::test(name, move || {
        claim();
        Ok(())
    })
}

/// Installs, and stands still before a step.
fn victim(root: &Path, last: usize) {
    let watched = Watched::open(root);
    let stand_still = move |step| {
        if step == last {
            std::io::stdout().write_all(b"!").unwrap();
            std::io::stdout().flush().unwrap();
            std::thread::sleep(Duration::from_secs(600));
        }
    };
    *watched.notes.before.borrow_mut() = Some(Box::new(stand_still));
    let desired = if last == NO_STEP {
        large()
    } else {
        scenario::after()
    };
    install(&watched, &desired).unwrap();
}

fn start(root: &Path, step: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([VICTIM, root.to_str().unwrap(), &step.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether it reached the step, before which it was killed.
fn kill_at(root: &Path, step: usize) -> bool {
    let mut child = start(root, step);
    let mut said = [0];
    let reached = child.stdout.as_mut().unwrap().read(&mut said).unwrap() == 1;
    child.kill().unwrap();
    child.wait().unwrap();
    reached
}

fn killed_at_every_step_every_file_is_whole_and_the_next_run_completes() {
    let before = scenario::before();
    let was = everything(before.path());
    let expected = folder();
    copy(before.path(), expected.path());
    install_on(expected.path(), &scenario::after()).unwrap();
    let will_be = everything(expected.path());
    let mut step = 0;
    loop {
        let root = folder();
        copy(before.path(), root.path());
        if !kill_at(root.path(), step) {
            break;
        }
        whole(&everything(root.path()), &was, &will_be, step);
        install_on(root.path(), &scenario::after()).unwrap();
        assert_eq!(
            everything(root.path()),
            will_be,
            "killed before step {step}, then again"
        );
        step += 1;
    }
    assert!(step > 50, "{step}");
}

/// Every file is as it was or as it will be, but those under names for the time being; and what is there before and after is there.
fn whole(is: &Files, was: &Files, will_be: &Files, step: usize) {
    for (name, content) in is {
        let staged = name.extension().is_some_and(|end| end == "tmp");
        let known = [was.get(name), will_be.get(name)].contains(&Some(content));
        assert!(
            staged || known,
            "killed before step {step}: {} is torn",
            name.display()
        );
    }
    for name in was.keys().filter(|name| will_be.contains_key(*name)) {
        assert!(
            is.contains_key(name),
            "killed before step {step}: {} is lost",
            name.display()
        );
    }
}

/// Enough to be killed while it is written.
fn large() -> Desired {
    let mut desired = scenario::after();
    for (number, entry) in desired.entries.iter_mut().enumerate() {
        entry.content = Content::Bytes(vec![number as u8; 8 << 20]);
    }
    desired
}

fn killed_while_it_writes_the_next_run_completes() {
    let (before, expected) = (scenario::before(), folder());
    copy(before.path(), expected.path());
    install_on(expected.path(), &large()).unwrap();
    let will_be = everything(expected.path());
    let root = folder();
    copy(before.path(), root.path());
    let mut chance: u64 = 2026;
    for _ in 0..20 {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut child = start(root.path(), NO_STEP);
        std::thread::sleep(Duration::from_micros((chance >> 33) % 200_000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    install_on(root.path(), &large()).unwrap();
    assert_eq!(everything(root.path()), will_be);
}
