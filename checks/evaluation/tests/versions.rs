//! A Nix that the plugin was not built for goes on without it, with one line that says so.

use std::fs;
use std::path::PathBuf;

use crate::support::{Desk, Plugin, Said};

/// What every case evaluates.
const ASK: &str = "builtins ? touchstone";

#[test]
fn an_object_that_is_named_twice_is_loaded_once() {
    let desk = Desk::new();
    let object = desk.object().display().to_string();
    let said = desk.loading(&format!("{object} {object}"));
    assert_eq!((said.output.trim(), said.messages.as_str()), ("true", ""));
}

#[test]
fn a_folder_of_plugins_may_be_named() {
    let desk = Desk::new();
    let object = desk.object();
    let said = desk.loading(object.parent().unwrap().to_str().unwrap());
    assert_eq!((said.output.trim(), said.messages.as_str()), ("true", ""));
}

#[test]
fn both_builds_beside_each_other_are_one_plugin() {
    let desk = Desk::new();
    let faulty = Desk::with(Plugin::Faulty);
    let said = desk.loading(&format!(
        "{} {}",
        desk.object().display(),
        faulty.object().display()
    ));
    assert_eq!(
        (said.status, said.output.trim()),
        (Some(0), "true"),
        "{said:?}"
    );
}

/// The same Nix that says it is another version: the text stands once in its program, which tells it to the libraries.
#[test]
fn another_nix_is_told_both_versions_and_goes_on() {
    let desk = Desk::new();
    let version = desk.value("builtins.nixVersion");
    let version = version.as_str().unwrap();
    let other = version.replace(|digit: char| digit.is_ascii_digit(), "9");
    let nix = &desk.inputs.plugin_host.as_ref().unwrap().nix;
    let program = desk.path("other/nix-instantiate");
    fs::create_dir(desk.path("other")).unwrap();
    fs::copy(nix.join("bin/nix"), &program).unwrap();
    let patched = replaced(fs::read(&program).unwrap(), version, &other);
    fs::write(&program, patched).unwrap();
    let mut command = desk.command(program.to_str().unwrap());
    command.args(["--eval", "--expr"]);
    command.arg(format!("{ASK} || builtins.nixVersion != \"{other}\""));
    one_warning(&desk.run(command), &[version, &other]);
}

/// Debian's own Nix exports nothing that a plugin could use: a real Nix that cannot have it.
#[test]
fn a_nix_that_takes_no_plugins_is_told_so_and_goes_on() {
    let desk = Desk::new();
    let object = desk.object();
    let folder = object.ancestors().nth(3).unwrap();
    let visit = desk
        .inputs
        .trixie()
        .visit()
        .bind(desk.folder())
        .show(folder);
    let mut command = visit.command("nix-instantiate").unwrap();
    command.args(["--option", "plugin-files"]).arg(&object);
    command.args(["--eval", "--expr", ASK]);
    let said = desk.run(command);
    one_warning(&said, &[]);
}

#[test]
fn an_object_without_its_other_half_is_told_so_and_goes_on() {
    let desk = Desk::new();
    let object = desk.path("alone/libtouchstone-nix.so");
    fs::create_dir(desk.path("alone")).unwrap();
    fs::copy(desk.object(), &object).unwrap();
    one_warning(
        &desk.loading(object.to_str().unwrap()),
        &["libtouchstone-nix-inner.so"],
    );
}

#[test]
fn another_half_that_cannot_be_loaded_is_told_so_and_goes_on() {
    let desk = Desk::new();
    let object = desk.copied();
    let inner = find(&desk.path("copied"), "libtouchstone-nix-inner.so");
    fs::write(inner, "no shared object").unwrap();
    one_warning(
        &desk.loading(object.to_str().unwrap()),
        &["libtouchstone-nix-inner.so"],
    );
}

/// Nix itself ends where a plugin is gone, before it reads any: what docs/plugin.md says to do then.
#[test]
fn a_plugin_that_is_gone_can_be_left_out() {
    let desk = Desk::new();
    desk.write("nix.conf", "plugin-files = /gone/libtouchstone-nix.so\n");
    let evaluate = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = desk.bare_command("nix-instantiate");
        command.env("NIX_USER_CONF_FILES", desk.path("nix.conf"));
        command.envs(environment.iter().copied());
        command.args(arguments).args(["--eval", "--expr", ASK]);
        desk.run(command)
    };
    let said = evaluate(&[], &[]).refusal();
    assert!(said.contains("/gone/libtouchstone-nix.so"), "{said}");
    let left_out = [
        evaluate(&[("NIX_CONFIG", "plugin-files =")], &[]),
        evaluate(&[], &["--option", "plugin-files", ""]),
    ];
    for said in left_out {
        assert_eq!((said.output.trim(), said.messages.as_str()), ("false", ""));
    }
}

/// One line, that names the plugin and these; nothing is registered, and Nix ends well.
#[track_caller]
fn one_warning(said: &Said, words: &[&str]) {
    assert_eq!(
        (said.status, said.output.trim()),
        (Some(0), "false"),
        "{said:?}"
    );
    assert_eq!(said.messages.lines().count(), 1, "{said:?}");
    for word in words.iter().chain(&["touchstone"]) {
        assert!(said.messages.contains(word), "{word}: {said:?}");
    }
}

impl Desk {
    /// Evaluates with these plugin files.
    fn loading(&self, files: &str) -> Said {
        let mut command = self.bare_command("nix-instantiate");
        command.args(["--option", "plugin-files", files]);
        command.args(["--eval", "--expr", ASK]);
        self.run(command)
    }

    /// A copy of the plugin's folders; the answer is the object that Nix loads.
    fn copied(&self) -> PathBuf {
        let object = self.object();
        let lib = object.ancestors().nth(3).unwrap();
        copy_tree(lib, &self.path("copied"));
        find(&self.path("copied"), "libtouchstone-nix.so")
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn find(folder: &std::path::Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == name {
                return entry.path();
            }
        }
    }
    panic!("no {name}")
}

/// The bytes with the one place where `from` stands changed to `to`.
fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let found = bytes.windows(from.len()).enumerate();
    let places: Vec<usize> = found
        .filter(|(_, window)| *window == from)
        .map(|(place, _)| place)
        .collect();
    let [place] = places[..] else {
        panic!("the version stands in {places:?}")
    };
    bytes[place..place + to.len()].copy_from_slice(to);
    bytes
}
