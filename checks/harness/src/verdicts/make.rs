//! Making keys and images: OpenSSL and the signers run in two visits to the root, `touchstone` outside of it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::bytes::Image;
use super::{SAYS, Tools, spoil};
use crate::efi_program::EfiProgram;

const KEYS: &str = include_str!("keys.sh");
const SIGNERS: &str = include_str!("signers.sh");

/// Signer, input, output, key, certificates, and further words.
const BY_OTHERS: &str = "\
sbsign           plain.efi by-sbsign.efi          own.key own.pem
sbsign           plain.efi rsa1024.efi            rsa1024.key rsa1024.pem
systemd-sbsign   plain.efi by-systemd-sbsign.efi  own.key own.pem
sbsign           hole.efi  hole-signed.efi        own.key own.pem
pesign           plain.efi by-pesign.efi          own.key own.pem
osslsigncode     plain.efi by-osslsigncode.efi    own.key own.pem -h sha256
osslsigncode     plain.efi sha384.efi             own.key own.pem -h sha384
osslsigncode     plain.efi sha512.efi             own.key own.pem -h sha512
osslsigncode     plain.efi sha1.efi               own.key own.pem -h sha1
osslsigncode     plain.efi md5.efi                own.key own.pem -h md5
osslsigncode     plain.efi ecdsa.efi              p256.key p256.pem -h sha256
osslsigncode     plain.efi chain-of-three.efi     by-lower.key by-lower.chain -h sha256
osslsigncode     plain.efi chain-with-root.efi    by-lower.key by-lower.whole -h sha256
sha1             plain.hashed plain.sha1          - -
";

/// Output, key, certificates, and further words; the input is `plain.efi`.
const BY_TOUCHSTONE: &[(&str, &str, &str, &[&str])] = &[
    ("own.efi", "own", "own.pem", &[]),
    ("stranger.efi", "stranger", "stranger.pem", &[]),
    ("rsa3072.efi", "rsa3072", "rsa3072.pem", &[]),
    ("rsa4096.efi", "rsa4096", "rsa4096.pem", &[]),
    ("p256.efi", "p256", "p256.pem", &[]),
    ("p384.efi", "p384", "p384.pem", &[]),
    ("own-sha384.efi", "own", "own.pem", &["--digest", "sha384"]),
    (
        "p384-sha384.efi",
        "p384",
        "p384.pem",
        &["--digest", "sha384"],
    ),
    (
        "expired.efi",
        "expired",
        "expired.pem",
        &["--allow-expired"],
    ),
    ("critical.efi", "critical", "critical.pem", &[]),
    ("web-server.efi", "web-server", "web-server.pem", &[]),
    ("by-root.efi", "by-root", "by-root.pem", &[]),
    ("by-middle.efi", "by-middle", "by-middle.chain", &[]),
    ("by-middle-alone.efi", "by-middle", "by-middle.pem", &[]),
    ("by-lower.efi", "by-lower", "by-lower.chain", &[]),
    (
        "by-root-in-sha1.efi",
        "by-root-in-sha1",
        "by-root-in-sha1.pem",
        &[],
    ),
    (
        "by-no-authority.efi",
        "by-no-authority",
        "by-no-authority.pem",
        &[],
    ),
    (
        "by-below-short.efi",
        "by-below-short",
        "by-below-short.chain",
        &[],
    ),
    ("by-version1.efi", "by-version1", "by-version1.pem", &[]),
];

/// Signed twice: input, output, key and certificate, and further words.
const ONCE_MORE: &[(&str, &str, &str, &[&str])] = &[
    ("own.efi", "own-and-stranger.efi", "stranger", &[]),
    ("stranger.efi", "stranger-and-own.efi", "own", &[]),
    ("own.efi", "own-in-both.efi", "own", &["--digest", "sha384"]),
];

/// Keys and certificates in `folder/keys`.
pub(super) fn keys(folder: &Path, tools: &Tools) -> Result<()> {
    let keys = folder.join("keys");
    fs::create_dir_all(&keys)?;
    run(tools, &keys, KEYS, "")
}

/// Images in `folder`.
pub(super) fn images(folder: &Path, tools: &Tools) -> Result<()> {
    let program = |says: &str| Image(EfiProgram { says, sbat: None }.image());
    let plain = program(SAYS);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    write("plain.hashed", &plain.hashed()?)?;
    write("plain.efi", &plain.0)?;
    write("other.efi", &program("Touchstone: another image").0)?;
    write("hole.efi", &spoil::with_hole(&plain)?.0)?;
    write("odd.efi", &[&plain.0[..], b"odd"].concat())?;
    run(tools, folder, SIGNERS, BY_OTHERS)?;
    for (output, key, certificates, words) in BY_TOUCHSTONE {
        sign(
            folder,
            tools,
            "plain.efi",
            output,
            (key, certificates),
            words,
        )?;
    }
    let own = ("own", "own.pem");
    sign(folder, tools, "other.efi", "other-signed.efi", own, &[])?;
    for (input, output, key, words) in ONCE_MORE {
        let certificate = format!("{key}.pem");
        sign(folder, tools, input, output, (key, &certificate), words)?;
    }
    spoil::all(folder)
}

fn sign(
    folder: &Path,
    tools: &Tools,
    input: &str,
    output: &str,
    (key, certificates): (&str, &str),
    words: &[&str],
) -> Result<()> {
    let mut command = Command::new(&tools.touchstone);
    command.current_dir(folder).args(["pe", "sign", "--key"]);
    command.arg(format!("keys/{key}.key")).arg("--certificate");
    command.arg(format!("keys/{certificates}")).args(words);
    let said = command.args(["--output", output, input]).output()?;
    if said.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said.stderr);
    bail!("touchstone pe sign --output {output}: {}", said.trim())
}

/// Runs a script inside the root, in `folder`.
fn run(tools: &Tools, folder: &Path, script: &str, input: &str) -> Result<()> {
    let visit = tools.root.visit().bind(folder).folder(folder);
    let mut command = visit.command("sh")?;
    command.args(["-c", script]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting a visit to the root")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let said = child.wait_with_output()?;
    if said.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said.stderr);
    bail!("keys and signatures for the verdicts: {}", said.trim())
}
