//! A machine's ESP and the boot path that is predicted of it, kept in step.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use touchstone_harness::boot::{Firmware, Machine};
use touchstone_measure::{
    Addon, BootPath, Companion, Companions, Content, DeviceTree, Linux, Program, Smbios,
    StartedImage, Uki,
};

use crate::bench::{BANKS, Bench, check};

/// All registers that loader, stub and kernel extend, and those that follow from what they load.
const PCRS: [u32; 6] = [4, 7, 9, 11, 12, 13];

/// What is on the ESP, and the same as a boot path.
pub(crate) struct Setup<'a> {
    bench: &'a Bench,
    esp: Vec<(String, PathBuf)>,
    /// The files in the UKI's own folder.
    own: Vec<(String, PathBuf)>,
    smbios: Vec<String>,
    path: BootPath,
}

impl<'a> Setup<'a> {
    /// systemd-boot of this suite and the UKI.
    pub(crate) fn new(bench: &'a Bench, suite: &str, secure_boot: bool, uki: &Path) -> Setup<'a> {
        let loader = bench.sign(&bench.inputs.boot[suite]["x64"], "loader.efi");
        let mut path = bench.path_through(secure_boot, &loader, uki);
        as_uki(&mut path).content = Some(content(uki));
        Setup {
            bench,
            esp: vec![
                ("EFI/BOOT/BOOTX64.EFI".into(), loader),
                ("EFI/Linux/generation-1.efi".into(), uki.into()),
                ("loader/boot-secret-mixin".into(), bench.file("mixin", b"-")),
            ],
            own: Vec::new(),
            smbios: Vec::new(),
            path,
        }
    }

    /// The UKI alone, which the firmware starts.
    pub(crate) fn direct(mut self) -> Self {
        self.path.loader = None;
        let (_, uki) = self.esp.remove(1);
        self.esp[0].1 = uki;
        self
    }

    /// A Type #1 entry in the UKI's place.
    pub(crate) fn entry(mut self, initrds: &[(&str, PathBuf)], options: &str) -> Self {
        let kernel = self.bench.inputs.kernel["amd64"].vmlinuz.as_path();
        let kernel = self.bench.sign(kernel, "kernel.efi");
        let mut entry = "title T\nlinux /nixos/kernel.efi\n".to_owned();
        for (path, file) in initrds {
            entry += &format!("initrd {path}\n");
            self.esp
                .push((path.trim_start_matches('/').into(), file.clone()));
        }
        // Two lines of options are one.
        let (first, second) = options.rsplit_once(' ').unwrap();
        entry += &format!("options {first} \noptions  {second}\n");
        let image = &mut File::open(&kernel).unwrap();
        self.path.program = Program::Linux(Box::new(Linux {
            image: StartedImage::from_file("the kernel", image, &BANKS, None).unwrap(),
            initrds: initrds
                .iter()
                .map(|(path, file)| companion(path, file))
                .collect(),
            options: options.into(),
        }));
        self.esp[1] = ("nixos/kernel.efi".into(), kernel);
        let entry = self.bench.file("entry.conf", entry.as_bytes());
        self.esp
            .push(("loader/entries/generation-1.conf".into(), entry));
        self
    }

    /// A file in the UKI's own folder.
    pub(crate) fn own(mut self, name: &str, file: &Path) -> Self {
        add(&mut as_uki(&mut self.path).extra, name, file);
        self.own.push((name.into(), file.into()));
        self
    }

    /// A file for all UKIs, below `loader/`.
    pub(crate) fn shared(mut self, folder: &str, name: &str, file: &Path) -> Self {
        add(&mut self.path.shared, name, file);
        self.esp
            .push((format!("loader/{folder}/{name}"), file.into()));
        self
    }

    /// The same credential or extension in both places, with another content in each.
    pub(crate) fn both(self, folder: &str, name: &str) -> Self {
        let bench = self.bench;
        let own = bench.file(&format!("own-{name}"), name.as_bytes());
        let shared = bench.file(&format!("shared-{name}"), folder.as_bytes());
        let with_shared = self.shared(folder, name, &shared);
        match with_shared.path.program {
            Program::Uki(_) => with_shared.own(name, &own),
            Program::Linux(_) => with_shared,
        }
    }

    /// What the host adds for stubs, and for entries of the boot loader.
    pub(crate) fn host(mut self, stub: &str, boot: &str) -> Self {
        for (who, text) in [("stub", stub), ("boot", boot)] {
            self.smbios
                .push(format!("io.systemd.{who}.kernel-cmdline-extra={text}"));
        }
        self.path.smbios = Smbios {
            stub: Some(stub.into()),
            boot: Some(boot.into()),
        };
        self
    }

    /// A profile, chosen by its `ID`.
    pub(crate) fn profile(mut self, number: usize, id: &str) -> Self {
        as_uki(&mut self.path).profile = Some(number);
        let chosen = format!("default *@{id}\n");
        let chosen = self.bench.file("loader.conf", chosen.as_bytes());
        self.esp.push(("loader/loader.conf".into(), chosen));
        self
    }

    /// The device tree that the machine takes.
    pub(crate) fn device_tree(mut self, choice: DeviceTree) -> Self {
        as_uki(&mut self.path).device_tree = Some(choice);
        self
    }

    /// Predicts, boots, and compares every register in both banks; the kernel's command line is the second answer's.
    pub(crate) fn check(self) -> String {
        let root = self.bench.inputs.trixie();
        let mut machine = Machine::new(&root, Firmware::of_debian(root.path()))
            .variables(self.bench.variables(self.path.variables.secure_boot));
        for (path, file) in &self.esp {
            machine = machine.file(path, file.as_path());
        }
        let beside = match &self.path.loader {
            Some(_) => "EFI/Linux/generation-1.efi.extra.d",
            None => "EFI/BOOT/BOOTX64.EFI.extra.d",
        };
        for (name, file) in &self.own {
            machine = machine.file(&format!("{beside}/{name}"), file.as_path());
        }
        for value in &self.smbios {
            machine = machine.smbios(value);
        }
        check(&machine, &self.path, &PCRS).report.cmdline
    }
}

fn as_uki(path: &mut BootPath) -> &mut Uki {
    match &mut path.program {
        Program::Uki(uki) => uki,
        Program::Linux(_) => panic!("no UKI"),
    }
}

fn content(file: &Path) -> Arc<dyn Content> {
    Arc::new(fs::read(file).unwrap())
}

fn companion(name: &str, file: &Path) -> Companion {
    Companion {
        name: name.into(),
        content: content(file),
    }
}

fn add(to: &mut Companions, name: &str, file: &Path) {
    let small = name.to_ascii_lowercase();
    let list = match small.as_str() {
        name if name.ends_with(".cred") => &mut to.credentials,
        name if name.ends_with(".confext.raw") => &mut to.configuration_extensions,
        name if name.ends_with(".raw") => &mut to.system_extensions,
        _ => {
            let mut image = Cursor::new(fs::read(file).unwrap());
            to.addons.push(Addon {
                name: name.into(),
                image: StartedImage::from_file(name, &mut image, &BANKS, None).unwrap(),
                content: content(file),
            });
            return;
        }
    };
    list.push(companion(name, file));
}
