//! Blocks of private keys (RFC 7468) in anything: a text, a program, the text of a program in which quotes and `\n` stand between lines.

use data_encoding::BASE64;
use memchr::memmem;
use zeroize::Zeroizing;

use super::{Kind, Secret, der};

/// What every block begins with.
pub(super) const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

/// The labels of blocks that hold a private key.
const LABELS: [&[u8]; 7] = [
    b"PRIVATE KEY",
    b"ENCRYPTED PRIVATE KEY",
    b"RSA PRIVATE KEY",
    b"EC PRIVATE KEY",
    b"DSA PRIVATE KEY",
    b"OPENSSH PRIVATE KEY",
    b"TSS2 PRIVATE KEY",
];

/// The key in the block at the beginning of `bytes`, which begin with [`BEGIN`].
pub(super) fn read(bytes: &[u8]) -> Option<Secret> {
    let after = bytes.get(BEGIN.len()..)?;
    let has_label = |label: &&&[u8]| {
        let rest = after.strip_prefix(**label);
        rest.is_some_and(|rest| rest.starts_with(DASHES))
    };
    let label = *LABELS.iter().find(has_label)?;
    let body = after.get(label.len() + DASHES.len()..)?;
    let end = [b"-----END ", label, DASHES].concat();
    // Another line of dashes before it: a list of labels, or a block that was cut off.
    let length = memmem::find(body, DASHES)?;
    if !body.get(length..)?.starts_with(&end) {
        return None;
    }
    let text = plain(body.get(..length)?);
    if let Some(cipher) = traditional(&text) {
        let data = decode(cipher).filter(|data| data.len() >= 16)?;
        let kind = match label {
            b"EC PRIVATE KEY" => Kind::Sec1,
            b"DSA PRIVATE KEY" => Kind::Dsa,
            _ => Kind::Pkcs1,
        };
        return Some(Secret::encrypted(kind, der::fingerprint(&data)));
    }
    let data = decode(&text)?;
    match label {
        b"OPENSSH PRIVATE KEY" => openssh(&data),
        _ => der::read(&data),
    }
}

/// The body without what a programming language puts between its lines.
fn plain(body: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut letters = body.iter().copied().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            (b'\\', Some(b'n' | b'r' | b'\n')) => {
                letters.next();
                text.push(b'\n');
            }
            (b'"' | b'\'', _) => (),
            (other, _) => text.push(other),
        }
    }
    text
}

/// What is behind the headers of openssl's traditional encryption.
fn traditional(text: &[u8]) -> Option<&[u8]> {
    let start = memmem::find(text, b"Proc-Type: 4,ENCRYPTED")?;
    let headers = text.get(start..)?;
    let information = headers.get(memmem::find(headers, b"DEK-Info:")?..)?;
    information.get(memchr::memchr(b'\n', information)?..)
}

/// The bytes of a base 64 text with white space and, as in a list of strings, commas.
fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let letters = text.iter().copied();
    let letters = letters.filter(|letter| !letter.is_ascii_whitespace() && *letter != b',');
    let letters: Zeroizing<Vec<u8>> = Zeroizing::new(letters.collect());
    BASE64.decode(&letters).ok().map(Zeroizing::new)
}

/// OpenSSH's own form (its `PROTOCOL.key`): the public half stands before what a passphrase may protect.
fn openssh(data: &[u8]) -> Option<Secret> {
    let mut rest = data.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = string(&mut rest)?;
    string(&mut rest)?;
    string(&mut rest)?;
    let keys = number(&mut rest)?;
    let public = string(&mut rest)?;
    if keys == 0 || public.len() < 16 {
        return None;
    }
    for _ in 1..keys {
        string(&mut rest)?;
    }
    let private = string(&mut rest)?;
    if private.len() < 16 {
        return None;
    }
    // `ssh-keygen -l` shows the same digest in base 64.
    let fingerprint = der::fingerprint(public);
    Some(match cipher {
        b"none" => Secret::plain(Kind::OpenSsh, fingerprint),
        _ => Secret::encrypted(Kind::OpenSsh, fingerprint),
    })
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*digits))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(text)
}
