//! On a store of more than 2 000 paths that real Nix made, `nix store verify` and this library say the same of every path, but where Nix
//! trusts what nobody signed.

use std::collections::BTreeSet;

use serde_json::Value;
use touchstone_harness::closure::{Closure, Size};
use touchstone_nix_database::Database;
use touchstone_store::closure::{Registry, Settings, Store, Trusted, lies};
use touchstone_store::{NarInfo, PublicKey, StorePath, Trust};

use super::damage::{KINDS, damage};
use super::page::says;
use crate::support::Work;

/// The store, and what its database says of the closure.
struct Subject {
    work: Work,
    closure: Closure,
    infos: Vec<NarInfo>,
}

impl Subject {
    fn new() -> Subject {
        let work = Work::new();
        let closure = Closure::build(&work.inputs, work.folder(), Size::SYSTEM).unwrap();
        let mut subject = Subject {
            work,
            closure,
            infos: Vec::new(),
        };
        subject.read();
        subject
    }

    /// Reads the database, which Nix wrote.
    fn read(&mut self) {
        let database = Database::open(&self.closure.database()).unwrap();
        self.infos = database.closure(&self.toplevel()).unwrap().unwrap();
    }

    fn toplevel(&self) -> StorePath {
        self.closure.toplevel.parse().unwrap()
    }

    /// The paths, of which this says yes.
    fn paths(&self, choose: impl Fn(usize, &NarInfo) -> bool) -> Vec<String> {
        let infos = self.infos.iter().enumerate();
        let chosen = infos.filter(|(number, info)| choose(*number, info));
        chosen
            .map(|(_, info)| info.entry.path.to_string())
            .collect()
    }

    /// The paths that are named by how they are built.
    fn built(&self) -> BTreeSet<String> {
        let built = self.paths(|_, info| info.entry.ca.is_none());
        built.into_iter().collect()
    }

    /// The paths that too few of the keys signed.
    fn unsigned(&self, trust: &Trust) -> BTreeSet<String> {
        let unsigned = self.paths(|_, info| trust.check(&info.entry).is_err());
        unsigned.into_iter().collect()
    }

    /// Of each path both say the same, where Nix looks at signatures at all. The answer is how many are not trusted.
    fn agree(&self, keys: &[&str], needed: usize) -> usize {
        let nix = self.closure.verify(keys, needed).unwrap();
        assert!(nix.otherwise.is_empty(), "{}", nix.said);
        let unsigned = self.unsigned(&trust(keys, needed));
        let built: BTreeSet<String> = unsigned.intersection(&self.built()).cloned().collect();
        assert_same(&nix.untrusted, &built);
        let trusted =
            Trusted::from_registry(&self.toplevel(), &self.registry(), &trust(keys, needed));
        assert_eq!(trusted.is_ok(), nix.status == Some(0));
        built.len()
    }

    fn registry(&self) -> Registry {
        Registry::known(self.infos.iter().cloned())
    }

    /// `touchstone closure verify`: its status and its answer.
    fn by_command(&self, keys: &[&str]) -> (Option<i32>, Value) {
        let mut words = vec!["closure", "verify", "--json", "--root", "root"];
        for key in keys {
            words.extend(["--trusted-public-key", key]);
        }
        words.push(&self.closure.toplevel);
        let said = self.work.touchstone(words);
        (
            said.status.code(),
            serde_json::from_slice(&said.stdout).unwrap(),
        )
    }
}

fn trust(keys: &[&str], needed: usize) -> Trust {
    let keys = keys.iter().map(|key| PublicKey::parse(key).unwrap());
    Trust::new(keys.collect(), needed).unwrap()
}

#[test]
fn nix_and_touchstone_say_the_same_of_each_of_two_thousand_paths() {
    let mut subject = Subject::new();
    assert!(subject.infos.len() >= 2000, "{}", subject.infos.len());
    let with_references =
        subject.paths(|_, info| info.entry.ca.is_none() && !info.entry.references.is_empty());
    assert!(with_references.len() >= 1500, "{}", with_references.len());
    says(&format!(
        "{} paths made by real Nix, {} of them named by how they are built",
        subject.infos.len(),
        subject.built().len()
    ));
    assert_eq!(subject.closure.paths().unwrap().len(), subject.infos.len());

    let key = |file: &str| {
        subject
            .closure
            .key(file, &format!("touchstone-test-{file}"))
            .unwrap()
    };
    let [one, two, foreign] = ["one", "two", "foreign"].map(key);
    let alias = subject
        .closure
        .rename_key("one", "alias", "touchstone-test-alias")
        .unwrap();
    let all = subject.paths(|_, _| true);

    // Nobody signed anything.
    let built = subject.built().len();
    assert_eq!(subject.agree(&[&one], 1), built);
    assert_eq!(subject.by_command(&[&one]).0, Some(3));

    // Half of it is signed, the rest by somebody whom nobody trusts.
    let half = subject.paths(|number, _| number % 2 == 0);
    subject.closure.sign("one", &half).unwrap();
    subject.closure.sign("foreign", &all).unwrap();
    subject.read();
    let left = subject.agree(&[&one], 1);
    assert!(left > built / 3 && left < built, "{left} of {built}");
    assert_eq!(subject.agree(&[&foreign], 1), 0);
    assert_eq!(subject.agree(&[&one, &foreign], 2), left);

    // All of it by one, a third by two.
    subject.closure.sign("one", &all).unwrap();
    let third = subject.paths(|number, _| number % 3 == 0);
    subject.closure.sign("two", &third).unwrap();
    subject.read();
    assert_eq!(subject.agree(&[&one], 1), 0);
    let left = subject.agree(&[&one, &two], 2);
    assert!(left > built / 2 && left < built, "{left} of {built}");
    let (status, answer) = subject.by_command(&[&one]);
    assert_eq!(status, Some(0));
    assert_eq!(answer["paths"], subject.infos.len());

    // One key under two names: here Nix is content, and wrong.
    subject.closure.sign("alias", &all).unwrap();
    subject.read();
    let nix = subject.closure.verify(&[&one, &alias], 2).unwrap();
    assert_eq!(nix.status, Some(0), "{}", nix.said);
    let keys = [&one, &alias].map(|key| PublicKey::parse(key).unwrap());
    assert!(Trust::new(keys.to_vec(), 2).is_err());
    let nix = subject.closure.verify(&[&one, &alias, &two], 2).unwrap();
    assert_eq!(nix.status, Some(0), "{}", nix.said);
    let unsigned = subject.unsigned(&trust(&[&one, &alias, &two], 2));
    let once = subject.paths(|number, _| number % 3 != 0);
    assert_same(&unsigned, &once.into_iter().collect());

    damaged(&subject, &one);
}

/// What is not what was signed, by each kind of damage: both find the same paths, all of them and no other.
fn damaged(subject: &Subject, key: &str) {
    let chosen = subject.paths(|number, _| number % 23 == 7);
    assert!(chosen.len() > 10 * KINDS);
    says(&format!(
        "{} paths that were damaged in seven ways",
        chosen.len()
    ));
    for (kind, path) in chosen.iter().enumerate() {
        damage(&subject.closure.on_host(path), kind);
    }
    let nix = subject.closure.verify(&[key], 1).unwrap();
    assert_same(&nix.otherwise, &chosen.into_iter().collect());
    assert!(nix.untrusted.is_empty());

    let trusted =
        Trusted::from_registry(&subject.toplevel(), &subject.registry(), &trust(&[key], 1))
            .unwrap();
    let store = Store::below(&subject.closure.root()).unwrap();
    let found = lies(&store, &trusted, &Settings::default(), &|_| {});
    let found = found
        .into_iter()
        .map(|(expected, _)| expected.path.to_string());
    assert_same(&found.collect(), &nix.otherwise);

    let (status, answer) = subject.by_command(&[key]);
    assert_eq!(status, Some(3));
    let found = answer["findings"].as_array().unwrap().iter();
    let found = found.map(|finding| finding["path"].as_str().unwrap().to_owned());
    assert_same(&found.collect(), &nix.otherwise);
}

fn assert_same(one: &BTreeSet<String>, other: &BTreeSet<String>) {
    let differs: Vec<_> = one.symmetric_difference(other).take(5).collect();
    assert!(differs.is_empty(), "only one of both has {differs:?}, …");
}
