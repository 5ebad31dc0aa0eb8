//! The signing agent as a service: many clients at once, clients that mean harm, a process that is killed, and what its memory shows.

mod concurrent;
mod ending;
mod holders;
mod killed;
mod memory;
mod service;
mod slow;
mod systemd;

use std::fs::{self, File, Permissions};
use std::io::{Cursor, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use touchstone_agent::client::{Connection, Control};
use touchstone_agent::log::{CheckpointKey, CheckpointSigner};
use touchstone_agent::protocol::KeyName;
use touchstone_artifacts::agent::ShownImage;
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_pe::Image;
use touchstone_sign::authenticode::{self, ImageDigest};
use touchstone_sign::keys::{self, KeyAlgorithm, KeyRequest};
use touchstone_sign::{CertifiedSigner, FileSigner, certificate};

use crate::support::{TOUCHSTONE, Work};

/// How long anything may take here that is not meant to take its time.
const SOON: Duration = Duration::from_secs(60);

/// A folder with keys, images and a policy that lets root have these images signed.
pub struct Lab {
    work: Work,
    /// A small program, of which the images are made.
    program: Vec<u8>,
    /// Where its first section lies.
    at: usize,
    signer: CertifiedSigner,
    limits: Value,
    log: Value,
}

impl Lab {
    /// With an ECDSA key for images, which signs the same twice (RFC 6979).
    pub fn new() -> Lab {
        Lab::with(KeyAlgorithm::P256)
    }

    pub fn with(algorithm: KeyAlgorithm) -> Lab {
        let work = Work::new();
        work.addon_stub("trixie", "x64", "addon");
        let program = work.read("addon");
        let image = Image::read(&mut Cursor::new(&program)).unwrap();
        let at = image.sections()[0].raw_range().start as usize;
        let made = keys::generate(&KeyRequest {
            common_name: "db",
            algorithm,
            not_before: 0,
            not_after: 4_000_000_000,
            test: true,
        })
        .unwrap();
        work.write("db.pem", &made.certificate_pem);
        let signer = FileSigner::new(made.key_pem.as_bytes()).unwrap();
        let all = certificate::read_all(made.certificate_pem.as_bytes()).unwrap();
        let lab = Lab {
            program,
            at,
            signer: CertifiedSigner::new(Box::new(signer), all).unwrap(),
            limits: json!({}),
            log: json!({}),
            work,
        };
        lab.secret("db.key", made.key_pem.as_bytes());
        let key = CheckpointKey::generate("lab").unwrap();
        lab.secret("log.key", key.expose_text().as_bytes());
        lab.work.write("log.pub", key.public_key().to_string());
        lab
    }

    /// A file that root alone reads.
    pub fn secret(&self, name: &str, content: &[u8]) {
        self.work.write(name, content);
        fs::set_permissions(self.work.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work.path(name)
    }

    /// An image like no other of these numbers.
    pub fn image(&self, number: u32) -> Vec<u8> {
        let mut image = self.program.clone();
        image[self.at..self.at + 4].copy_from_slice(&number.to_le_bytes());
        image
    }

    /// The same as a file.
    pub fn image_file(&self, number: u32) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.image(number)).unwrap();
        file.rewind().unwrap();
        file
    }

    fn digest(&self, number: u32) -> [u8; 32] {
        let mut source = Cursor::new(self.image(number));
        let image = Image::read(&mut source).unwrap();
        touchstone_pe::authenticode::sha256(&image, &mut source).unwrap()
    }

    /// What the key gives for this image, and nothing else.
    pub fn signature(&self, number: u32) -> Vec<u8> {
        authenticode::signature(&ImageDigest::sha256(&self.digest(number)), &self.signer).unwrap()
    }

    /// A policy that lets root have the first images signed, each by its digest.
    pub fn policy(&self, images: u32) -> Value {
        let digests: Vec<[u8; 32]> = (0..images).map(|one| self.digest(one)).collect();
        let mut policy = policy(self.work.folder(), json!(self.path("db.key")), &digests);
        policy["limits"] = self.limits.clone();
        let settings = self.log.as_object().unwrap().clone();
        policy["log"].as_object_mut().unwrap().extend(settings);
        policy
    }

    /// An agent with this policy.
    pub fn serve(&self, policy: &Value) -> Agent {
        self.secret("policy.json", policy.to_string().as_bytes());
        Agent::start(self.work.folder())
    }
}

/// A policy that lets root have one program signed, with `db.pem` and this key.
#[cfg(any(feature = "token", feature = "tpm"))]
pub fn loader_policy(folder: &Path, program: &[u8], key: Value) -> Value {
    let mut source = Cursor::new(program);
    let image = Image::read(&mut source).unwrap();
    let digest = touchstone_pe::authenticode::sha256(&image, &mut source).unwrap();
    policy(folder, key, &[digest])
}

/// A policy that lets root have programs of these digests signed, with `db.pem` and this key.
fn policy(folder: &Path, key: Value, digests: &[[u8; 32]]) -> Value {
    let digests = digests
        .iter()
        .map(|digest| data_encoding::HEXLOWER.encode(digest));
    json!({
        "version": 1,
        "keys": { "db": { "kind": "image", "key": key, "certificate": folder.join("db.pem") } },
        "images": { "known": { "loader": { "sha256": digests.collect::<Vec<_>>() } } },
        "rules": [ {
            "name": "people",
            "users": ["root"],
            "operations": [ { "authenticode": { "key": "db", "image": "known" } } ],
        } ],
        "log": { "checkpointKey": folder.join("log.key") },
    })
}

/// An agent that runs; it is killed when a test leaves it.
pub struct Agent {
    child: Child,
    folder: PathBuf,
}

impl Agent {
    /// With the policy in this folder, and its state and sockets. It has nothing more to open, and no connection.
    pub fn start(folder: &Path) -> Agent {
        Agent::start_by(Agent::command(folder), folder)
    }

    fn start_by(mut command: Command, folder: &Path) -> Agent {
        let child = command.spawn().unwrap();
        let folder = folder.to_owned();
        let mut agent = Agent { child, folder };
        let begun = Instant::now();
        let place = agent.path("control");
        let status = || Control::open(&place).and_then(|mut control| control.status());
        while status().is_err() {
            assert_eq!(agent.child.try_wait().unwrap(), None, "the agent ended");
            assert!(begun.elapsed() < SOON, "the agent does not answer");
            thread::sleep(Duration::from_millis(1));
        }
        agent.wait_until_alone();
        agent
    }

    /// Waits until it has no connection: each has a thread.
    pub fn wait_until_alone(&self) {
        let begun = Instant::now();
        while self.connections() > 0 {
            assert!(begun.elapsed() < SOON, "connections do not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn connections(&self) -> usize {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let names = threads.map(|thread| fs::read(thread.unwrap().path().join("comm")));
        names
            .filter(|name| matches!(name, Ok(name) if name == b"connection\n"))
            .count()
    }

    fn command(folder: &Path) -> Command {
        Agent::command_at(folder, ["control", "direct"])
    }

    /// With its sockets at other places.
    fn command_at(folder: &Path, [control, direct]: [&str; 2]) -> Command {
        let at = |name: &str| folder.join(name);
        let mut command = Command::new(TOUCHSTONE);
        command
            .args(["agent", "serve", "--policy"])
            .arg(at("policy.json"));
        for (word, name) in [
            ("--state", "state"),
            ("--builds", "builds"),
            ("--control", control),
            ("--direct", direct),
        ] {
            command.arg(word).arg(at(name));
        }
        command.stdin(Stdio::null());
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client at the direct socket.
    pub fn client(&self) -> Connection {
        Connection::open(&self.path("direct")).unwrap()
    }

    /// A connection that speaks for itself.
    pub fn stream(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path("direct")).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Tells it to end.
    pub fn terminate(&self) {
        let id = Pid::from_raw(self.id() as i32).unwrap();
        kill_process(id, Signal::TERM).unwrap();
    }

    /// Waits until it has ended.
    pub fn ended(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < SOON, "the agent does not end");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it as a service is ended.
    pub fn stop(self) {
        self.terminate();
        assert!(self.ended().success());
    }

    /// The processes that it has started.
    pub fn children(&self) -> Vec<u32> {
        let id = self.id();
        let list = format!("/proc/{id}/task/{id}/children");
        let text = fs::read_to_string(list).unwrap();
        text.split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key of every lab.
pub fn db() -> KeyName {
    KeyName::parse("db").unwrap()
}

/// An image, all of which is shown.
pub fn whole(image: &File) -> ShownImage<'_> {
    ShownImage::whole(image).unwrap()
}

/// The signature of an image, by this client.
pub fn signed(client: &mut Connection, lab: &Lab, number: u32) -> Vec<u8> {
    let image = lab.image_file(number);
    client
        .authenticode(&db(), SignatureDigest::Sha256, &whole(&image))
        .unwrap()
}

/// Every entry of the log in this folder.
pub fn entries(folder: &Path) -> Vec<Value> {
    let mut segments: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    segments.sort();
    let mut text = String::new();
    for segment in segments {
        let mut bytes = Vec::new();
        File::open(segment)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        // Behind the last line there is room that was set aside.
        let end = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        text += std::str::from_utf8(&bytes[..end]).unwrap();
    }
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
