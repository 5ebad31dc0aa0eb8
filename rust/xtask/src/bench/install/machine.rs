//! A machine in a folder, with as many generations as wanted: what both installers find below `/nix`, and the partition that they fill.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// MiB of a kernel. Generations share one until it is updated.
pub const KERNEL_MIB: u64 = 12;
/// After how many generations there is a new kernel.
pub const KERNEL_LASTS: usize = 20;
/// After how many generations there is a new initrd.
pub const INITRD_LASTS: usize = 5;
/// Each generation's specialisation.
const SPECIALISATION: &str = "calm";

/// The machine.
pub struct Machine {
    root: PathBuf,
    initrd_mib: u64,
    /// The newest generation, which runs and boots next.
    pub toplevel: String,
}

impl Machine {
    /// A machine with so many generations, whose initrds have so many MiB, in a folder that is not there yet.
    ///
    /// # Errors
    /// When the folder cannot be filled.
    pub fn new(root: PathBuf, generations: usize, initrd_mib: u64) -> Result<Machine> {
        for inner in [
            "boot",
            "etc",
            "run",
            "nix/store",
            "nix/var/nix/profiles",
            "var/lib",
        ] {
            fs::create_dir_all(root.join(inner))?;
        }
        fs::write(
            root.join("etc/machine-id"),
            "0123456789abcdef0123456789abcdef\n",
        )?;
        let mut machine = Machine {
            root,
            initrd_mib,
            toplevel: String::new(),
        };
        for number in 1..=generations {
            machine
                .add(number)
                .with_context(|| format!("generation {number}"))?;
        }
        symlink(&machine.toplevel, machine.at("/run/booted-system"))?;
        Ok(machine)
    }

    /// Where a path of the machine lies.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The machine's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Empties the partition, and forgets what was on it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn empty(&self) -> Result<()> {
        for folder in ["/boot", "/var/lib"] {
            let folder = self.at(folder);
            fs::remove_dir_all(&folder)?;
            fs::create_dir(&folder)?;
        }
        Ok(())
    }

    /// How many entries the boot loader finds.
    ///
    /// # Errors
    /// When there is no folder of entries.
    pub fn entries(&self) -> Result<usize> {
        Ok(fs::read_dir(self.at("/boot/loader/entries"))?.count())
    }

    fn add(&mut self, number: usize) -> Result<()> {
        let kernel = self.image("linux", (number - 1) / KERNEL_LASTS, KERNEL_MIB)?;
        let initrd = self.image("initrd", (number - 1) / INITRD_LASTS, self.initrd_mib)?;
        let toplevel = store_path(number, "nixos-system-bench");
        let special = store_path(number, &format!("nixos-system-bench-{SPECIALISATION}"));
        let document = |toplevel: &str, children: Value| {
            json!({
                "org.nixos.bootspec.v1": {
                    "system": "x86_64-linux",
                    "init": format!("{toplevel}/init"),
                    "kernel": kernel,
                    "initrd": initrd,
                    "kernelParams": ["quiet", "loglevel=4"],
                    "label": format!("26.05.{number} (Linux 6.18)"),
                    "toplevel": toplevel,
                },
                "org.nixos.specialisation.v1": children,
                "org.nixos.systemd-boot": { "sortKey": "nixos" },
            })
        };
        let child = document(&special, json!({}));
        self.toplevel_with(&special, &child)?;
        self.toplevel_with(
            &toplevel,
            &document(&toplevel, json!({ SPECIALISATION: child })),
        )?;
        let children = self.at(&toplevel).join("specialisation");
        fs::create_dir(&children)?;
        symlink(&special, children.join(SPECIALISATION))?;
        let profiles = self.at("/nix/var/nix/profiles");
        let link = format!("system-{number}-link");
        symlink(&toplevel, profiles.join(&link))?;
        let own = profiles.join("system");
        if own.is_symlink() {
            fs::remove_file(&own)?;
        }
        symlink(link, own)?;
        self.toplevel = toplevel;
        Ok(())
    }

    fn toplevel_with(&self, toplevel: &str, document: &Value) -> Result<()> {
        let folder = self.at(toplevel);
        fs::create_dir_all(folder.join("touchstone"))?;
        fs::write(folder.join("boot.json"), document.to_string())?;
        fs::write(
            folder.join("touchstone/install.json"),
            settings().to_string(),
        )?;
        Ok(())
    }

    /// A store path with random bytes: nothing can shortcut reading them.
    fn image(&self, name: &str, number: usize, mib: u64) -> Result<String> {
        let path = store_path(number, name);
        let file = self.at(&path);
        if !file.exists() {
            let mut random = File::open("/dev/urandom")?.take(mib << 20);
            std::io::copy(&mut random, &mut File::create(&file)?)?;
        }
        Ok(path)
    }
}

fn store_path(number: usize, name: &str) -> String {
    format!("/nix/store/{number:0>32}-{name}")
}

/// Entries of Type #1, as nixpkgs' installer makes them, and no boot loader.
fn settings() -> Value {
    json!({
        "version": 1,
        "volumes": [{ "esp": "/boot", "xbootldr": null }],
        "loader": null,
        "loaderConf": { "timeout": "5", "editor": "no", "console-mode": "keep" },
        "sortKey": "nixos",
        "configurationLimit": null,
        "bootCounting": null,
        "images": "kernel",
        "stub": null,
        "splash": null,
        "profiles": [],
        "sections": [],
        "pcrSign": null,
        "signing": null,
        "extraFiles": {},
        "extraEntries": {},
        "touchEfiVariables": false,
        "trustedPublicKeys": [],
        "sigsNeeded": 1,
        "policy": null,
        "state": "/var/lib/touchstone/esp.json",
        "distro": "NixOS",
    })
}
