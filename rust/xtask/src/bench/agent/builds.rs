//! The same build twice, in turns: with a test key that the sandbox shows, and through the agent.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use touchstone_harness::Inputs;
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::show_keys;
use touchstone_harness::progress::Stage;

use super::Desk;
use super::holders::HOLDERS;
use super::speed::Client;
use crate::bench::median;

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
        fs::write(folder.join(size.initrd()), vec![b'x'; bytes])?;
    }
    Ok(())
}

/// Times both builds `rounds` times in each size, one after the other, and prints the table; the answer is what was not reached.
pub fn run(desk: &Desk, rounds: usize) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    println!("A sandboxed build of a signed UKI, median of {rounds}:");
    for size in &SIZES {
        let stage = Stage::of_steps(format!("{} MiB", size.mib), rounds as u64);
        let (mut by_key, mut by_agent, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        // The first round brings the inputs into the store, and does not count.
        for round in 0..=rounds {
            let by_own = format!("own-{round}");
            let (own, image) = desk.built(size, &by_own, "/touchstone-test-keys/db.key")?;
            let (agents, _) = desk.built(size, &format!("agents-{round}"), "agent:rsa2048")?;
            let request = desk.asked(&image)?;
            if round > 0 {
                by_key.push(own);
                by_agent.push(agents);
                asked.push(request);
                stage.step();
            }
        }
        stage.done(&format!("{rounds} rounds"));
        // What else the machine does falls on both builds of a round alike.
        let more = by_agent.iter().zip(&by_key).map(|(one, other)| one - other);
        let more = median(more.collect())?;
        let (by_key, by_agent) = (median(by_key)?, median(by_agent)?);
        let asked = median(asked)?;
        println!(
            "  {} MiB   key in the sandbox {by_key:>7.1} ms   through the agent {by_agent:>7.1} ms   {more:.1} ms more (at most {OVERHEAD}); the request alone {asked:.1} ms",
            size.mib
        );
        if more > OVERHEAD {
            missed.push(format!("a build of {} MiB: {more:.1} ms more", size.mib));
        }
    }
    Ok(missed)
}

impl Desk {
    /// How long the agent takes for an image that was built, in milliseconds: without hook, grant, and build.
    fn asked(&self, image: &Path) -> Result<f64> {
        // As a build hands it in.
        let bare = self.path("bare.efi");
        let mut command = self.machine.daemon().beside(&self.program)?;
        command
            .args(["pe", "unsign", "--output"])
            .arg(&bare)
            .arg(image);
        output(command)?;
        let mut client = Client::open(self, &HOLDERS[0], &bare)?;
        let begun = Instant::now();
        client.sign()?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    /// How long a build takes, in milliseconds, and where the image is.
    fn built(&self, size: &Size, round: &str, key: &str) -> Result<(f64, PathBuf)> {
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
        let path = output(command)?;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        Ok((took, daemon.on_host(path.trim())))
    }
}
