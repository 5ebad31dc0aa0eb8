//! A signing agent in the place of the key: the installer, which is static, signs by keys that it could not open, and holds none.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_harness::inputs::inputs;

use crate::machine::{boots, keys};
use crate::world::World;

/// An agent with the key of [`World::signing`]; it ends with the test.
struct Agent {
    child: Child,
    folder: TempDir,
}

impl Agent {
    /// One that signs systemd-boot for root, and nothing else.
    fn serve() -> Agent {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let program = inputs().touchstone.unwrap();
        let mut keygen = Command::new(&program);
        keygen.args(["agent", "log", "keygen", "--name", "machine"]);
        assert!(keygen.arg(at("log.key")).output().unwrap().status.success());
        secret(&at("db.key"), &fs::read(keys().join("db.key")).unwrap());
        fs::copy(keys().join("db.pem"), at("db.pem")).unwrap();
        let policy = json!({
            "version": 1,
            "keys": { "db": { "kind": "image", "key": at("db.key"), "certificate": at("db.pem") } },
            "images": { "boot": { "loader": { "files": [inputs().boot["trixie"]["x64"]] } } },
            "rules": [{ "name": "installer", "users": ["root"],
                "operations": [{ "authenticode": { "key": "db", "image": "boot" } }] }],
            "log": { "checkpointKey": at("log.key") },
        });
        secret(&at("policy.json"), policy.to_string().as_bytes());
        let mut serve = Command::new(program);
        serve.args(["agent", "serve"]).stdin(Stdio::null());
        for (word, name) in [
            ("--policy", "policy.json"),
            ("--state", "state"),
            ("--builds", "builds"),
            ("--control", "control"),
            ("--direct", "direct"),
        ] {
            serve.arg(word).arg(at(name));
        }
        let mut agent = Agent {
            child: serve.spawn().unwrap(),
            folder,
        };
        let begun = Instant::now();
        while UnixStream::connect(agent.socket()).is_err() {
            assert_eq!(agent.child.try_wait().unwrap(), None, "the agent ended");
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(2));
        }
        agent
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("direct")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn secret(file: &Path, content: &[u8]) {
    fs::write(file, content).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

/// A world whose boot loader is signed on the machine.
fn world() -> World {
    let mut world = World::signing("trixie");
    world.settings["images"] = json!("kernel");
    world
}

/// The same, whose key the agent has.
fn by(agent: &Agent) -> World {
    let mut world = world();
    fs::remove_file(world.at("/etc/keys/db.key")).unwrap();
    let key = format!("agent:db?socket={}", agent.socket().display());
    world.settings["signing"]["key"] = Value::from(key);
    world
}

const LOADER: &str = "/boot/EFI/systemd/systemd-bootx64.efi";

#[test]
fn what_an_agent_signs_is_installed_as_what_the_key_signs() {
    let agent = Agent::serve();
    let (here, elsewhere) = (world(), by(&agent));
    for world in [&here, &elsewhere] {
        world.install(&world.add(1));
        assert!(boots(&world.at(LOADER)));
    }
    let signed = |world: &World| fs::read(world.at(LOADER)).unwrap();
    assert!(signed(&here) == signed(&elsewhere));
    // The static program, too.
    let again = by(&agent);
    let toplevel = again.add(1);
    let program = inputs().installer.unwrap();
    let output = again.order(&program, &[&toplevel]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(signed(&here) == signed(&again));
}

#[test]
fn what_the_agent_refuses_is_not_installed() {
    let agent = Agent::serve();
    let mut world = by(&agent);
    let other = world.program_of("loader", "sid");
    world.settings["loader"] = json!({ "image": other });
    let error = world.refused(&world.add(1));
    assert!(error.contains("the signing agent refuses: "), "{error}");
    drop(agent);
    let toplevel = world.add(2);
    let error = world.refused(&toplevel);
    assert!(error.contains("signing agent"), "{error}");
}
