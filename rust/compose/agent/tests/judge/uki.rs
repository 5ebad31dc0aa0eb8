//! Images, assembled of real parts, and changed where an attacker would.

use std::fs::{self, File};
use std::io::{Cursor, Seek, Write};
use std::path::PathBuf;

use serde_json::Value;
use touchstone_pe::Image;
use touchstone_pe::layout::Content;
use touchstone_pe::uki::{Compat, Kernel, Profile, UkiParts, Uname, plan};

use crate::world::World;

/// What a UKI is made of.
#[derive(Clone)]
pub struct Uki {
    pub stub: PathBuf,
    pub linux: Option<PathBuf>,
    pub initrds: Vec<Vec<u8>>,
    pub cmdline: Option<String>,
    /// ID and command line of more profiles.
    pub profiles: Vec<(String, String)>,
    pub sections: Vec<(String, Vec<u8>)>,
    pub sbat: Vec<String>,
    pub pcrpkey: Option<Vec<u8>>,
    pub pcrsig: Option<String>,
}

impl Uki {
    /// The one of a system, as its `boot.json` says.
    pub fn of(world: &World, toplevel: &str) -> Uki {
        let text = fs::read(world.on_host(&format!("{toplevel}/boot.json"))).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        let core = &document["org.nixos.bootspec.v1"];
        let file = |field: &str| world.on_host(core[field].as_str().unwrap());
        let parameters = core["kernelParams"].as_array().unwrap().iter();
        let parameters: String = parameters
            .map(|word| format!(" {}", word.as_str().unwrap()))
            .collect();
        Uki {
            stub: world.path("stub"),
            linux: Some(file("kernel")),
            initrds: vec![fs::read(file("initrd")).unwrap()],
            cmdline: Some(format!("init={toplevel}/init{parameters}")),
            profiles: Vec::new(),
            sections: Vec::new(),
            sbat: Vec::new(),
            pcrpkey: None,
            pcrsig: None,
        }
    }

    #[must_use]
    pub fn cmdline(mut self, text: impl Into<String>) -> Uki {
        self.cmdline = Some(text.into());
        self
    }

    #[must_use]
    pub fn profile(mut self, id: &str, cmdline: impl Into<String>) -> Uki {
        self.profiles.push((format!("ID={id}"), cmdline.into()));
        self
    }

    #[must_use]
    pub fn section(mut self, name: &str, content: &[u8]) -> Uki {
        self.sections.push((name.to_owned(), content.to_vec()));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut stub = File::open(&self.stub).unwrap();
        let base = Image::read(&mut stub).unwrap();
        let bytes = |bytes: &Vec<u8>| Content::bytes(bytes.clone());
        let profiles = self.profiles.iter();
        let parts = UkiParts {
            linux: self
                .linux
                .as_ref()
                .map(|file| Kernel::new(File::open(file).unwrap())),
            initrds: self.initrds.iter().map(bytes).collect(),
            cmdline: self.cmdline.clone(),
            os_release: Some(b"ID=check\n".to_vec()),
            uname: Uname::Detect,
            sbat: self.sbat.clone(),
            pcrpkey: self.pcrpkey.as_ref().map(bytes),
            pcrsig: self
                .pcrsig
                .clone()
                .map(|text| Content::bytes(text.into_bytes())),
            joined: profiles
                .map(|(id, line)| Profile::of_texts(id, line))
                .collect(),
            extra: self
                .sections
                .iter()
                .map(|(name, content)| (name.parse().unwrap(), bytes(content)))
                .collect(),
            compat: Compat::Ukify257,
            ..UkiParts::default()
        };
        let layout = plan(&base, &mut stub, parts).unwrap();
        let mut out = Cursor::new(Vec::new());
        layout
            .write(&mut stub, &mut out, &mut [], &mut |_| ())
            .unwrap();
        out.into_inner()
    }

    pub fn file(&self) -> File {
        file(&self.bytes())
    }
}

/// A file without a name, as the server hands them over.
pub fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// Where a section's row stands in the table.
pub fn row(bytes: &[u8], name: &str) -> usize {
    let image = Image::read(&mut Cursor::new(bytes)).unwrap();
    let index = image
        .sections()
        .iter()
        .position(|section| section.name.as_str() == name)
        .unwrap();
    table(bytes) + index * 40
}

/// Where the section table begins.
pub fn table(bytes: &[u8]) -> usize {
    let coff = number(bytes, 0x3c) as usize + 4;
    let optional = u16::from_le_bytes(bytes[coff + 16..coff + 18].try_into().unwrap());
    coff + 20 + usize::from(optional)
}

pub fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}
