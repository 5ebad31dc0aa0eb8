//! Makes what the machines boot: with the program under test, out of a real kernel, real stubs and real boot loaders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use touchstone_harness::Inputs;
use touchstone_harness::guest;
use touchstone_harness::nix::output;

use super::cases::{Case, Systemd, Variant};
use super::scene;
use crate::boot::keys::{Keys, efi};

/// What all machines share: keys, an initrd, small files.
pub struct Workshop<'a> {
    pub inputs: &'a Inputs,
    pub keys: Keys,
    folder: PathBuf,
    initrd: PathBuf,
}

/// Files by the names that they have on the ESP.
type Named = BTreeMap<String, PathBuf>;

/// The files of one machine, by their paths on the ESP.
pub struct Scene {
    /// shim.
    pub shim: Option<PathBuf>,
    /// systemd-boot.
    pub loader: Option<PathBuf>,
    /// What is started at last.
    pub program: Program,
    /// Files in the UKI's own folder, by name.
    pub extra: Named,
    /// Files below `loader/`, by path.
    pub shared: Named,
    /// The boot loader's settings.
    pub loader_conf: PathBuf,
}

/// Short: the stub of systemd 252 has little room for it.
const SBAT: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\ntouchstone-check,1,-,-,-,-\n";

/// What is started at last.
pub enum Program {
    /// A UKI.
    Uki(PathBuf),
    /// A kernel and its initrds.
    Kernel {
        kernel: PathBuf,
        initrds: [PathBuf; 2],
    },
}

/// The options of the Type #1 entry.
pub const OPTIONS: &str = guest::COMMAND_LINE;

impl<'a> Workshop<'a> {
    /// Prepares in `folder`.
    pub fn open(inputs: &'a Inputs, folder: &Path) -> Result<Workshop<'a>> {
        let initrd = guest::initrd(inputs, &folder.join("initrd"), None)?;
        let workshop = Workshop {
            inputs,
            keys: Keys::make(inputs, &folder.join("keys"), &[])?,
            folder: folder.to_owned(),
            initrd,
        };
        // An empty cpio archive: the kernel passes over microcode that is none of its processor's.
        let empty = format!("070701{}0000000b00000000TRAILER!!!\0\0\0\0", "0".repeat(88));
        let files: [(&str, &[u8]); 8] = [
            ("microcode", empty.as_bytes()),
            ("splash.bmp", &bitmap()),
            ("pcrpkey.pem", b"a public key\n"),
            ("pcrsig.json", b"{\"sha256\":[]}\n"),
            ("global.cred", b"global"),
            ("own.cred", b"a credential"),
            ("tools.raw", &[7; 5000]),
            ("settings.raw", &[9; 3001]),
        ];
        for (name, content) in files {
            fs::write(workshop.file(name), content)?;
        }
        Ok(workshop)
    }

    /// A file of the workshop.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes everything that the machine boots, in the new folder `into`.
    pub fn make(&self, case: &Case, into: &Path) -> Result<Scene> {
        fs::create_dir(into)?;
        let variant = case.variant;
        let loader = match variant {
            Variant::Direct => None,
            _ => Some(self.signed(loader(self.inputs, case.systemd)?, &into.join("loader.efi"))?),
        };
        let shim = match variant {
            Variant::Shim => {
                let original = efi(
                    self.inputs,
                    "shim-signed_amd64/usr/lib/shim/shimx64.efi.signed",
                )?;
                Some(self.signed(original, &into.join("shim.efi"))?)
            }
            _ => None,
        };
        let program = match variant {
            Variant::Kernel => self.kernel(into)?,
            _ => Program::Uki(self.uki(case, into)?),
        };
        let (extra, shared) = self.beside(variant, into)?;
        let loader_conf = into.join("loader.conf");
        fs::write(&loader_conf, scene::loader_conf(case))?;
        Ok(Scene {
            shim,
            loader,
            program,
            extra,
            shared,
            loader_conf,
        })
    }

    fn signed(&self, image: &Path, to: &Path) -> Result<PathBuf> {
        self.keys.sign(image, to, &[])?;
        Ok(to.to_owned())
    }

    fn kernel(&self, into: &Path) -> Result<Program> {
        let second = into.join("second");
        fs::write(&second, archive("/second"))?;
        Ok(Program::Kernel {
            kernel: self.signed(vmlinuz(self.inputs)?, &into.join("linux.efi"))?,
            initrds: [self.initrd.clone(), second],
        })
    }

    fn uki(&self, case: &Case, into: &Path) -> Result<PathBuf> {
        let mut build = self.build(case.systemd)?;
        build.arg("--linux").arg(vmlinuz(self.inputs)?);
        build.arg("--initrd").arg(&self.initrd);
        build.args(["--cmdline", guest::COMMAND_LINE]);
        build.args(["--os-release", "ID=touchstone\nVERSION_ID=1\n"]);
        build.args(["--sbat", SBAT]);
        if case.variant.has_sections() {
            let all = [
                ("--pcrpkey", "pcrpkey.pem"),
                ("--ucode", "microcode"),
                ("--splash", "splash.bmp"),
            ];
            // The stub of systemd 252 has room for seven sections beside its own.
            let room = if case.systemd == Systemd::V252 { 1 } else { 3 };
            for (option, name) in all.into_iter().take(room) {
                build.arg(option).arg(self.file(name));
            }
            build.arg("--pcrsig");
            build.arg(format!("@{}", self.file("pcrsig.json").display()));
        }
        if case.variant.profile().is_some() {
            build.args(["--profile", "ID=main\nTITLE=Main\n", "--join-profile"]);
            build.arg(self.profile(into)?);
        }
        self.finish(build, into, "uki")
    }

    /// A second profile: another command line.
    fn profile(&self, into: &Path) -> Result<PathBuf> {
        let mut build = self.keys.command(&["uki", "build", "--stub"]);
        build.arg(addon_stub(self.inputs)?);
        build.args(["--profile", "ID=second\nTITLE=Second\n", "--cmdline"]);
        build.arg(format!("{} second=1", guest::COMMAND_LINE));
        let path = into.join("profile.efi");
        build.arg("--output").arg(&path);
        output(build)?;
        Ok(path)
    }

    /// The files beside the UKI: in its own folder, and below `loader/`.
    fn beside(&self, variant: Variant, into: &Path) -> Result<(Named, Named)> {
        let (mut extra, mut shared) = (Named::new(), Named::new());
        if variant.has_addons() {
            for name in ["b", "a"] {
                extra.insert(
                    format!("{name}.addon.efi"),
                    self.addon(&format!("own={name}"), name, into)?,
                );
            }
            shared.insert(
                "addons/z.addon.efi".to_owned(),
                self.addon("global=z", "z", into)?,
            );
        }
        if variant.has_credentials() {
            extra.insert("own.cred".to_owned(), self.file("own.cred"));
            shared.insert(
                "credentials/global.cred".to_owned(),
                self.file("global.cred"),
            );
        }
        if variant.has_extensions() {
            extra.insert("tools.sysext.raw".to_owned(), self.file("tools.raw"));
            extra.insert("settings.confext.raw".to_owned(), self.file("settings.raw"));
            for (kind, name) in [("sysext", "tools.raw"), ("confext", "settings.raw")] {
                shared.insert(format!("extensions/all.{kind}.raw"), self.file(name));
            }
        }
        Ok((extra, shared))
    }

    fn addon(&self, command_line: &str, name: &str, into: &Path) -> Result<PathBuf> {
        let mut build = self.keys.command(&["uki", "build", "--stub"]);
        build.arg(addon_stub(self.inputs)?);
        build.args(["--cmdline", command_line]);
        self.finish(build, into, name)
    }

    /// A command that builds a UKI with this systemd's stub.
    fn build(&self, systemd: Systemd) -> Result<Command> {
        let mut build = self.keys.command(&["uki", "build", "--stub"]);
        build.arg(of_suite(&self.inputs.stub, systemd.suite())?);
        Ok(build)
    }

    /// Builds, and signs.
    fn finish(&self, mut build: Command, into: &Path, name: &str) -> Result<PathBuf> {
        let unsigned = into.join(format!("{name}.unsigned"));
        build.arg("--output").arg(&unsigned);
        output(build)?;
        self.signed(&unsigned, &into.join(format!("{name}.efi")))
    }
}

type ByArchitecture = BTreeMap<String, BTreeMap<String, PathBuf>>;

fn of_suite<'a>(files: &'a ByArchitecture, suite: &str) -> Result<&'a Path> {
    let file = files.get(suite).and_then(|files| files.get("x64"));
    Ok(file.with_context(|| format!("no package of {suite} is there: run `cargo xtask setup`"))?)
}

fn loader(inputs: &Inputs, systemd: Systemd) -> Result<&Path> {
    of_suite(&inputs.boot, systemd.suite())
}

/// Debian 12 has none: addons are younger than its systemd.
fn addon_stub(inputs: &Inputs) -> Result<&Path> {
    of_suite(&inputs.addon_stub, "trixie")
}

fn vmlinuz(inputs: &Inputs) -> Result<&Path> {
    let kernel = inputs.kernel.get("amd64").context("no amd64 kernel")?;
    Ok(&kernel.vmlinuz)
}

/// A BMP image of one white pixel.
fn bitmap() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [58_u32, 0, 54, 40, 1, 1] {
        bytes.extend(number.to_le_bytes());
    }
    // One plane of 24 bits.
    bytes.extend([1, 0, 24, 0]);
    for number in [0_u32, 4, 2835, 2835, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([255, 255, 255, 0]);
    bytes
}

/// A cpio archive with one empty file, 4-aligned.
fn archive(name: &str) -> Vec<u8> {
    let entry = |name: &str, mode: &str| {
        let mut bytes = format!(
            "07070100000001{mode}{}00000001{}{:08x}00000000{name}\0",
            "0".repeat(16),
            "0".repeat(48),
            name.len() + 1
        )
        .into_bytes();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    [entry(name, "000081a4"), entry("TRAILER!!!", "00000000")].concat()
}
