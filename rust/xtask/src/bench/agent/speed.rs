//! Signatures a second: through the agent, over several connections at once, beside `touchstone boot sign`, which signs one request after the
//! other with the key that it holds itself.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use touchstone_agent::client::Connection;
use touchstone_agent::protocol::KeyName;
use touchstone_artifacts::agent::{ShownImage, StorePart};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use super::Desk;
use super::holders::{HOLDERS, Holder};

/// How long each kind of key signs.
const TIME: Duration = Duration::from_secs(4);

/// Connections at the same time.
const CONNECTIONS: usize = 4;

/// Requests of the smaller and the larger folder: what starting costs falls out of the difference.
const REQUESTS: [u32; 2] = [10, 210];

/// What stands in front of the digest in the statement about an image: `SpcPeImageData` and the digest's algorithm.
const STATEMENT: &str = "3033060a2b06010401823702010f3025030100a020a21e801c003c003c003c004f00620073006f006c006500740065003e003e003e3031300d060960864801650304020105000420";

/// Times each kind of key and prints the table.
pub fn run(desk: &Desk) -> Result<()> {
    let size = addon(desk)?;
    println!(
        "Signatures a second of an image of {size} bytes, {CONNECTIONS} connections, {} s each:",
        TIME.as_secs()
    );
    for holder in &HOLDERS {
        let stage = Stage::begin(holder.says);
        let by_agent = through_agent(desk, holder)?;
        let alone = by_itself(desk, holder)?;
        stage.done("done");
        println!(
            "  {:<20} through the agent {by_agent:>8.1}   the key itself {alone:>8.1}   {:>4.0} %",
            holder.says,
            100.0 * by_agent / alone
        );
    }
    Ok(())
}

/// Makes `addon.efi`, which the policy lets root have signed; the answer is its size in bytes.
fn addon(desk: &Desk) -> Result<u64> {
    let mut command = desk.machine.daemon().beside(&desk.program)?;
    command.args([
        "uki",
        "build",
        "--stub",
        "addon-stub",
        "--cmdline",
        "bench=1",
    ]);
    command.args(["--output", "addon.efi"]);
    output(command)?;
    Ok(fs::metadata(desk.path("addon.efi"))?.len())
}

fn through_agent(desk: &Desk, holder: &Holder) -> Result<f64> {
    let image = desk.path("addon.efi");
    // The first signature opens what has to be opened.
    Client::open(desk, holder, &image)?.sign()?;
    let begun = Instant::now();
    let work = || -> Result<u32> {
        let mut client = Client::open(desk, holder, &image)?;
        let mut signed = 0;
        while begun.elapsed() < TIME {
            client.sign()?;
            signed += 1;
        }
        Ok(signed)
    };
    let mut signed = 0;
    std::thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        for thread in running {
            match thread.join() {
                Ok(count) => signed += count?,
                Err(_) => bail!("a thread that signs ended early"),
            }
        }
        Ok(())
    })?;
    Ok(f64::from(signed) / begun.elapsed().as_secs_f64())
}

/// Who has an image signed again and again, over one connection.
pub struct Client {
    agent: Connection,
    key: KeyName,
    image: File,
    /// What the agent finds in its store.
    parts: Vec<StorePart>,
}

impl Client {
    pub fn open(desk: &Desk, holder: &Holder, image: &Path) -> Result<Client> {
        Ok(Client {
            parts: Vec::new(),
            agent: Connection::open(&desk.path("run/direct"))?,
            key: KeyName::parse(holder.name)?,
            image: File::open(image)?,
        })
    }

    /// The same, that names these parts of the image and does not send them.
    pub fn naming(self, parts: Vec<StorePart>) -> Client {
        Client { parts, ..self }
    }

    pub fn sign(&mut self) -> Result<()> {
        let image = ShownImage::whole(&self.image)?.with_parts(&self.parts);
        self.agent
            .authenticode(&self.key, SignatureDigest::Sha256, &image)?;
        Ok(())
    }
}

/// What the key does where nobody is in between.
fn by_itself(desk: &Desk, holder: &Holder) -> Result<f64> {
    let attributes = attributes(desk)?;
    let mut seconds = [0.0; 2];
    for (count, seconds) in REQUESTS.iter().zip(&mut seconds) {
        let requests = desk.path("requests");
        fs::create_dir(&requests)?;
        for number in 0..*count {
            let digest = Sha256::digest(number.to_le_bytes());
            let name = data_encoding::HEXLOWER.encode(&digest);
            let request = [&attributes[..], &statement(&digest)?].concat();
            fs::write(requests.join(format!("{name}.signed-data")), request)?;
        }
        *seconds = sign_requests(desk, holder)?;
        fs::remove_dir_all(requests)?;
    }
    let [few, many] = seconds;
    let [less, more] = REQUESTS.map(f64::from);
    Ok((more - less) / (many - few))
}

/// Signs the folder; the answer is how long that took.
fn sign_requests(desk: &Desk, holder: &Holder) -> Result<f64> {
    let key = holder.key(desk.folder.path());
    let key = match fs::read_to_string(desk.path("tcti")) {
        Ok(tcti) => key.replace("@TCTI@", &tcti),
        Err(_) => key,
    };
    let mut command = desk.machine.daemon().beside(&desk.program)?;
    command.env("SOFTHSM2_CONF", desk.path("softhsm2.conf"));
    command.args(["boot", "sign", "--key", &key, "--certificate"]);
    command.arg(format!("keys/{}.pem", holder.certificate));
    // In memory, since each signature is synced.
    command.args(["--output", "/dev/shm/signatures", "requests"]);
    let begun = Instant::now();
    output(command)?;
    Ok(begun.elapsed().as_secs_f64())
}

/// What stands in front of the statement's digest in signed attributes, as the program prepares them.
fn attributes(desk: &Desk) -> Result<Vec<u8>> {
    let mut command = desk.machine.daemon().beside(&desk.program)?;
    command.args([
        "pe",
        "sign",
        "--prepare-offline-signing",
        "--certificate",
        "keys/rsa2048.pem",
    ]);
    command.args(["--output", "prepared", "addon.efi"]);
    output(command)?;
    let prepared = fs::read(desk.path("prepared"))?;
    let (attributes, _) = prepared
        .split_last_chunk::<32>()
        .context("no digest was prepared")?;
    Ok(attributes.to_owned())
}

/// The digest of the statement about an image.
fn statement(digest: &[u8]) -> Result<Vec<u8>> {
    let before = data_encoding::HEXLOWER.decode(STATEMENT.as_bytes())?;
    Ok(Sha256::digest([&before, digest].concat()).to_vec())
}
