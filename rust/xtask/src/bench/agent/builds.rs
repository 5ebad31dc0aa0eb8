//! The same build twice, in turns: with a test key that the sandbox shows, and through the agent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use touchstone_artifacts::agent::StorePart;
use touchstone_harness::Inputs;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::show_keys;
use touchstone_harness::progress::Stage;
use touchstone_pe::Image;
use touchstone_store::StoreFile;

use super::Desk;
use super::holders::HOLDERS;
use super::speed::Client;
use crate::bench::{median, quartiles};

/// At most so much longer takes a build that signs through the agent, in milliseconds.
const OVERHEAD: f64 = 50.0;

/// A size of image: the kernel is Debian's, and the initrd is filled up.
pub struct Size {
    /// Of the whole, about.
    mib: usize,
}

pub const SIZES: [Size; 2] = [Size { mib: 20 }, Size { mib: 60 }];

impl Size {
    /// The initrd's file.
    pub fn initrd(&self) -> String {
        format!("initrd-{}", self.mib)
    }
}

/// A derivation of the image of a system, whose command line nobody has had before, signed by `key`. Kernel and initrd are what the system
/// names, as a NixOS has it.
const EXPRESSION: &str = r#"{ checkout, folder, initrd, round, key }:
let
  path = name: /. + "${folder}/${name}";
  file = name: from: builtins.path { inherit name; path = path from; };
  lib = import (/. + "${checkout}/nix-plugin/lib") { touchstone = path "touchstone"; system = "x86_64-linux"; };
  program = "${path "touchstone-probe"}/bin/touchstone-probe";
  linux = file "linux-bench" "kernel";
  initrds = [ (file "initrd-linux-bench" initrd) ];
  kernelParams = [ "quiet" ];
  toplevel = derivation {
    name = "nixos-system-bench";
    system = "x86_64-linux";
    builder = program;
    __structuredAttrs = true;
    mode = "toplevel";
    kernel = linux;
    initrd = builtins.head initrds;
    init = program;
    nixosVersion = "bench";
    bootspec = { initrdSecrets = program; extensions = { }; };
    inherit kernelParams;
  };
in
lib.mkUki {
  name = "bench-uki.efi";
  stub = file "stub.efi" "stub";
  inherit initrds linux;
  cmdline = builtins.concatStringsSep " " ([ "init=${toplevel}/init" ] ++ kernelParams ++ [ "bench=${round}" ]);
  osRelease = "ID=bench\n";
  sign = { inherit key; certificate = file "db.pem" "keys/rsa2048.pem"; };
}
"#;

/// Writes the expression and the initrds.
pub fn prepare(inputs: &Inputs, folder: &Path) -> Result<()> {
    fs::write(folder.join("bench.nix"), EXPRESSION)?;
    let kernel = inputs.kernel.get("amd64").context("no kernel")?;
    let kernel = fs::read(&kernel.vmlinuz)?;
    fs::write(folder.join("kernel"), &kernel)?;
    for size in &SIZES {
        let bytes = (size.mib << 20).saturating_sub(kernel.len());
        fs::write(folder.join(size.initrd()), compressed(bytes))?;
    }
    Ok(())
}

/// Bytes like those of something compressed: Nix searches what is built for store paths, and takes longer for letters. Always the same.
fn compressed(len: usize) -> Vec<u8> {
    let blocks = (0..u64::MAX).map(|number| Sha256::digest(number.to_le_bytes()));
    blocks.flatten().take(len).collect()
}

/// Times both builds `rounds` times in each size, one after the other, and prints the table; the answer is what was not reached.
pub fn run(desk: &Desk, rounds: usize) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    println!("A sandboxed build of a signed UKI, median of {rounds}:");
    for size in &SIZES {
        let stage = Stage::of_steps(format!("{} MiB", size.mib), rounds as u64);
        let (mut by_key, mut by_agent) = (Vec::new(), Vec::new());
        let mut asked = [Vec::new(), Vec::new()];
        // The first round brings the inputs into the store, and does not count.
        for round in 0..=rounds {
            let own = |desk: &Desk| {
                desk.built(
                    size,
                    &format!("own-{round}"),
                    "/touchstone-test-keys/db.key",
                )
            };
            let agents =
                |desk: &Desk| desk.built(size, &format!("agents-{round}"), "agent:rsa2048");
            // Each is as often the first.
            let (own, agents) = match round % 2 {
                0 => (own(desk)?, agents(desk)?),
                _ => {
                    let agents = agents(desk)?;
                    (own(desk)?, agents)
                }
            };
            let request = desk.asked(&own.image)?;
            // The next round finds the same room.
            desk.forget([&own, &agents])?;
            if round > 0 {
                by_key.push(own.took);
                by_agent.push(agents.took);
                for (asked, request) in asked.iter_mut().zip(request) {
                    asked.push(request);
                }
                stage.step();
            }
        }
        stage.done(&format!("{rounds} rounds"));
        // What else the machine does falls on both builds of a round alike.
        let more = by_agent.iter().zip(&by_key).map(|(one, other)| one - other);
        let [less, more, most] = quartiles(more.collect())?;
        let (by_key, by_agent) = (median(by_key)?, median(by_agent)?);
        let [named, sent] = asked;
        let (named, sent) = (median(named)?, median(sent)?);
        println!(
            "  {} MiB   key in the sandbox {by_key:>7.1} ms   through the agent {by_agent:>7.1} ms   {more:.1} ms more (at most {OVERHEAD}; half of the pairs from {less:.1} to {most:.1}); the request alone {named:.1} ms, with the whole image sent {sent:.1} ms",
            size.mib
        );
        if more > OVERHEAD {
            missed.push(format!("a build of {} MiB: {more:.1} ms more", size.mib));
        }
    }
    Ok(missed)
}

/// An image that was built.
struct Built {
    /// Its store path.
    path: String,
    /// Where that is.
    image: PathBuf,
    /// How long the build took, in milliseconds.
    took: f64,
}

impl Desk {
    /// How long the agent takes for an image that was built, in milliseconds: without hook, grant, and build. Once the client names what lies in the
    /// store, as a build does, and once it sends all, as `pe sign` does.
    fn asked(&self, image: &Path) -> Result<[f64; 2]> {
        // As a build hands it in.
        let bare = self.path("bare.efi");
        let mut command = self.machine.daemon().beside(&self.program)?;
        command
            .args(["pe", "unsign", "--output"])
            .arg(&bare)
            .arg(image);
        output(command)?;
        let mut took = [0.0; 2];
        for (took, parts) in took.iter_mut().zip([self.in_store(&bare)?, Vec::new()]) {
            let mut client = Client::open(self, &HOLDERS[0], &bare)?.naming(parts);
            let begun = Instant::now();
            client.sign()?;
            *took = begun.elapsed().as_secs_f64() * 1000.0;
        }
        Ok(took)
    }

    /// Kernel and initrd of an image, in the store.
    fn in_store(&self, image: &Path) -> Result<Vec<StorePart>> {
        let image = Image::read(&mut File::open(image)?)?;
        let mut parts = Vec::new();
        for (section, name) in [
            (".linux", "-linux-bench"),
            (".initrd", "-initrd-linux-bench"),
        ] {
            let section = image.section(section).context("no such section")?;
            let size = u64::from(section.virtual_size);
            let mut found = None;
            for entry in fs::read_dir(self.machine.daemon().on_host("/nix/store"))? {
                let entry = entry?;
                let is_it = entry.file_name().to_string_lossy().get(32..) == Some(name);
                if is_it && entry.metadata()?.len() == size {
                    found = Some(format!("/nix/store/{}", entry.file_name().display()));
                }
            }
            parts.push(StorePart {
                at: section.raw_offset.into(),
                size,
                file: StoreFile::parse(&found.context("it is not in the store")?)?,
            });
        }
        parts.sort_by_key(|part| part.at);
        Ok(parts)
    }

    /// Builds an image.
    fn built(&self, size: &Size, round: &str, key: &str) -> Result<Built> {
        let daemon = self.machine.daemon();
        let mut command = daemon.command("nix-instantiate")?;
        command.arg("bench.nix");
        let folder = self.folder.path().display().to_string();
        let checkout = self.checkout.display().to_string();
        let initrd = size.initrd();
        for (name, value) in [
            ("checkout", checkout.as_str()),
            ("folder", &folder),
            ("initrd", &initrd),
            ("round", round),
            ("key", key),
        ] {
            command.args(["--argstr", name, value]);
        }
        let derivation = output(command)?.trim().to_owned();
        let asks = key.starts_with("agent:");
        if asks {
            self.machine.agent_done(["grant", &derivation])?;
        }
        let mut command = daemon.command("nix-store")?;
        command.args(["--realise", &derivation]);
        if !asks {
            command.args(show_keys(&self.path("keys/test")));
        }
        let begun = Instant::now();
        let path = output(command)?.trim().to_owned();
        Ok(Built {
            took: begun.elapsed().as_secs_f64() * 1000.0,
            image: daemon.on_host(&path),
            path,
        })
    }

    /// Deletes images.
    fn forget(&self, images: [&Built; 2]) -> Result<()> {
        let mut command = self.machine.daemon().command("nix-store")?;
        command
            .arg("--delete")
            .args(images.map(|image| &image.path));
        output(command).map(drop)
    }
}
