//! Generations, what their files hold, and what is wanted on the ESP.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use touchstone_esp::type1::{Key, Type1};
use touchstone_esp::{Content, Desired, Entry, EntryKind, EntryName, EspPath, File};

/// Where the boot loader lies: the firmware looks for it under both names.
pub const LOADERS: [&str; 2] = ["EFI/systemd/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI"];
pub const POLICY: &str = "EFI/nixos/policy.json";
pub const LOADER_CONF: &str = "loader/loader.conf";

/// A generation, or a specialisation of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct System {
    pub generation: u64,
    pub specialisation: Option<String>,
}

/// What lies where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Everything on one ESP.
    One,
    /// Two ESPs with the same content.
    Mirrored,
    /// The loader and what it reads on the ESP; entries, and what they name, on another partition (XBOOTLDR).
    Extended,
}

/// Where a firmware that starts the loader from one volume looks.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Where loader, settings and policy lie.
    pub loader: &'static str,
    /// Where the loader looks for entries.
    pub entries: &'static [&'static str],
}

impl Layout {
    /// The ways in which a machine may boot.
    pub fn views(self) -> &'static [View] {
        const FIRST: View = View {
            loader: "0",
            entries: &["0"],
        };
        const SECOND: View = View {
            loader: "1",
            entries: &["1"],
        };
        const BOTH: View = View {
            loader: "0",
            entries: &["0", "1"],
        };
        match self {
            Self::One => &[FIRST],
            Self::Mirrored => &[FIRST, SECOND],
            Self::Extended => &[BOTH],
        }
    }
}

/// What a machine is to boot.
#[derive(Clone, Debug)]
pub struct World {
    pub layout: Layout,
    pub generations: BTreeSet<u64>,
    pub next: u64,
    /// The version of the boot loader and of its settings.
    pub loader: u32,
    /// How often a new entry is tried.
    pub tries: Option<u32>,
    /// All that was ever wanted, by what it holds.
    known: BTreeMap<Vec<u8>, Known>,
}

/// Whose a content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Entry(System),
    Loader,
    Settings,
    /// A policy that admits these generations.
    Policy(BTreeSet<u64>),
    Artifact,
}

impl World {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            generations: BTreeSet::from([1]),
            next: 2,
            loader: 1,
            tries: None,
            known: BTreeMap::new(),
        }
    }

    pub fn knows(&self, content: &[u8]) -> Option<&Known> {
        self.known.get(content)
    }

    /// What is to be on each volume while this system runs.
    pub fn desired(&mut self, running: Option<u64>) -> Vec<Desired> {
        let all = self.everything(running);
        match self.layout {
            Layout::One => vec![all],
            Layout::Mirrored => vec![all.clone(), all],
            Layout::Extended => {
                let entries = Desired {
                    artifacts: all.artifacts,
                    entries: all.entries,
                    ..Desired::default()
                };
                let loader = Desired {
                    before: all.before,
                    fixed: all.fixed,
                    ..Desired::default()
                };
                let collect = |desired| Desired {
                    collect: true,
                    ..desired
                };
                vec![collect(loader), collect(entries)]
            }
        }
    }

    fn everything(&mut self, running: Option<u64>) -> Desired {
        let mut wanted: BTreeSet<u64> = self.generations.iter().rev().take(3).copied().collect();
        wanted.extend(running);
        let mut desired = Desired {
            collect: true,
            ..Desired::default()
        };
        let policy = format!("{{\"admits\": {wanted:?}}}\n");
        desired
            .before
            .push(self.file(POLICY, policy.into_bytes(), Known::Policy(wanted.clone())));
        for generation in wanted {
            self.system(&mut desired, generation, None);
            if generation % 3 == 0 {
                self.system(&mut desired, generation, Some("gaming"));
            }
        }
        let loader = format!("systemd-boot {} ", self.loader)
            .repeat(8)
            .into_bytes();
        for path in LOADERS {
            desired
                .fixed
                .push(self.file(path, loader.clone(), Known::Loader));
        }
        let settings = format!("timeout {}\ndefault nixos-*\n", self.loader).into_bytes();
        desired
            .fixed
            .push(self.file(LOADER_CONF, settings, Known::Settings));
        desired
    }

    fn system(&mut self, desired: &mut Desired, generation: u64, specialisation: Option<&str>) {
        let system = System {
            generation,
            specialisation: specialisation.map(str::to_owned),
        };
        let (kind, content) = match generation % 2 {
            0 => (EntryKind::Type1, self.text(desired, &system)),
            _ => (EntryKind::Type2, image(&system)),
        };
        let name = EntryName {
            profile: None,
            generation,
            specialisation: system.specialisation.clone(),
            hash: hash(&content),
            count: None,
            kind,
        };
        self.known.insert(content.clone(), Known::Entry(system));
        desired.entries.push(Entry {
            path: name.path().unwrap(),
            content: Content::Bytes(content),
            tries: self.tries,
        });
    }

    /// An entry of Type #1, with its kernel, which generations share, and its initrd.
    fn text(&mut self, desired: &mut Desired, system: &System) -> Vec<u8> {
        let kernel = format!(
            "kernel {}, which some generations share ",
            system.generation / 6
        )
        .repeat(2);
        let initrd = format!("initrd of {system:?} ").repeat(2);
        let mut text = Type1::default();
        for (key, name, content) in [
            (Key::Linux, "kernel.efi", kernel),
            (Key::Initrd, "initrd", initrd),
        ] {
            let path = format!(
                "EFI/nixos/{}-{name}",
                data_encoding::HEXLOWER.encode(&hash(content.as_bytes()))
            );
            desired
                .artifacts
                .push(self.file(&path, content.into_bytes(), Known::Artifact));
            text.push(key, format!("/{path}")).unwrap();
        }
        text.push(Key::SortKey, "nixos").unwrap();
        text.push(Key::Version, system.generation.to_string())
            .unwrap();
        if let Some(specialisation) = &system.specialisation {
            text.push(Key::Title, specialisation).unwrap();
        }
        text.to_string().into_bytes()
    }

    fn file(&mut self, path: &str, content: Vec<u8>, known: Known) -> File {
        self.known.insert(content.clone(), known);
        File {
            path: EspPath::parse(path).unwrap(),
            content: Content::Bytes(content),
        }
    }
}

fn image(system: &System) -> Vec<u8> {
    let System {
        generation,
        specialisation,
    } = system;
    let name = specialisation.as_deref().unwrap_or("");
    format!("ID=nixos\nIMAGE_ID=nixos\nIMAGE_VERSION={generation}\nVARIANT={name}\n# and a kernel, and an initrd, and a command line\n").into_bytes()
}

pub fn hash(content: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(content).into();
    std::array::from_fn(|index| digest[index])
}
