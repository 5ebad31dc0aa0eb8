//! What the signing agent costs: signatures a second beside what the key itself can do, and a build that signs through the agent beside the
//! same build with a key of its own.

mod builds;
mod holders;
mod speed;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};
use touchstone_harness::Inputs;
use touchstone_harness::agent::{AgentMachine, ServingAgent};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use crate::linked;
use crate::toolchain::{cargo, checkout, metadata};
use holders::HOLDERS;

/// A machine whose agent holds a key of each kind.
struct Desk {
    machine: AgentMachine,
    agent: ServingAgent,
    program: PathBuf,
    checkout: PathBuf,
    folder: tempfile::TempDir,
}

/// Times both and prints the tables; the answer is what was not reached.
///
/// # Errors
/// When a program is not built, or the agent refuses.
pub fn run(inputs: &Inputs, folder: Option<&Path>, rounds: usize) -> Result<Vec<String>> {
    let desk = Desk::new(inputs, folder)?;
    speed::run(&desk)?;
    let missed = builds::run(&desk, rounds)?;
    desk.agent.stop()?;
    Ok(missed)
}

impl Desk {
    fn new(inputs: &Inputs, folder: Option<&Path>) -> Result<Desk> {
        let program = program()?;
        let stage = Stage::begin("Preparing keys in files, a token and a TPM");
        let folder = match folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let checkout = checkout()?;
        let machine = AgentMachine::start(inputs, folder.path(), &program, &checkout)?;
        builds::prepare(inputs, folder.path())?;
        let agent = holders::begin(&machine, inputs, folder.path(), &program)?;
        stage.done("ready");
        Ok(Desk {
            machine,
            agent,
            program,
            checkout,
            folder,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The dynamic program as it is shipped.
fn program() -> Result<PathBuf> {
    let stage = Stage::begin("Building the dynamic program");
    let mut command = cargo()?;
    command.args(["build", "--quiet", "--locked", "--release"]);
    command.args(["--package", "touchstone", "--features", "token,tpm"]);
    linked::link(&mut command, &linked::tss2()?)?;
    output(command)?;
    stage.done("ready");
    let folder = metadata()?.target_directory.into_std_path_buf();
    Ok(folder.join("release/touchstone"))
}

/// What the agent may sign here: addons of whoever is root, and granted builds.
fn policy(folder: &Path) -> Value {
    let path = |name: &str| folder.join(name).display().to_string();
    let names = HOLDERS.map(|holder| holder.name);
    let keys = HOLDERS.map(|holder| {
        let certificate = path(&format!("keys/{}.pem", holder.certificate));
        let key = holder.key(folder);
        json!({ "kind": "image", "key": key, "certificate": certificate })
    });
    let keys: serde_json::Map<String, Value> =
        names.map(str::to_owned).into_iter().zip(keys).collect();
    let of_builds = json!({ "authenticode": { "key": HOLDERS[0].name, "image": "uki" } });
    let of_addons = names.map(|name| json!({ "authenticode": { "key": name, "image": "addon" } }));
    let of_root: Vec<Value> = of_addons.into_iter().chain([of_builds.clone()]).collect();
    json!({
        "version": 1,
        "keys": keys,
        "log": { "checkpointKey": path("keys/checkpoint.secret") },
        "images": {
            "addon": { "addon": { "stub": { "files": [path("addon-stub")] }, "cmdline": { "allowed": ["bench=*"] } } },
            "uki": { "uki": {
                "stub": { "files": [path("stub")] },
                "toplevel": { "builtHere": true },
                "kernel": { "ofToplevel": { "builtHere": true, "names": ["linux-*"] } },
                "initrd": { "ofToplevel": { "builtHere": true, "names": ["initrd-linux-*"] } },
                "cmdline": { "allowed": ["bench=*"] },
            } },
        },
        "rules": [
            { "name": "speed", "users": ["root"], "operations": of_root },
            { "name": "builds", "derivations": { "names": ["bench-*"], "requesters": ["root"] }, "operations": [of_builds] },
        ],
    })
}
