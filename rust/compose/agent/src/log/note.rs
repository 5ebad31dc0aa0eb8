//! Signed notes: a text that people read, and an Ed25519 signature below it.
//!
//! Source: C2SP, "Note" (<https://c2sp.org/signed-note>), in the form of Go's `golang.org/x/mod/sumdb/note`: whoever has either verifies
//! these notes without Touchstone.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Ed25519, in keys and in what their identifiers are computed from.
const ED25519: u8 = 1;

/// What a secret key begins with.
const SECRET: &str = "PRIVATE+KEY+";

/// What a line with a signature begins with.
const SIGNATURE: &str = "— ";

/// The longest note that is read, in bytes.
pub const NOTE_LIMIT: usize = 64 << 10;

/// Why something is no key. Never holds the text of a secret key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name cannot stand in a note.
    #[error(
        "the name of a key of checkpoints has 1 to 200 printable ASCII characters, without spaces and `+`"
    )]
    Name,
    /// The text has another form.
    #[error("a {0} of checkpoints is `{1}`")]
    Form(&'static str, &'static str),
    /// The identifier is another key's.
    #[error("the key `{0}` is damaged: its identifier is not that of its name and its bytes")]
    Identifier(String),
    /// No point of the curve, or one for which anybody can make signatures.
    #[error("the key `{0}` is no usable Ed25519 key")]
    Weak(String),
}

/// A key that verifies checkpoints: `<name>+<8 hexadecimal digits>+<base 64>`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// A key of this name, from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Name`], [`KeyError::Weak`].
    pub fn new(name: &str, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let key = VerifyingKey::from_bytes(bytes).ok();
        let key = key.filter(|key| !key.is_weak());
        Ok(Self {
            name: name.to_owned(),
            key: key.ok_or_else(|| KeyError::Weak(name.to_owned()))?,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// What stands in notes for the name and the bytes together.
    fn identifier(&self) -> [u8; 4] {
        identifier(&self.name, self.bytes())
    }

    /// Whether this is its signature of the text (strict verification).
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.key.verify_strict(text, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = HEXLOWER.encode(&self.identifier());
        let key = BASE64.encode(&tagged(self.bytes()));
        write!(formatter, "{}+{id}+{key}", self.name)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// White space around it is ignored.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form("public key", "<name>+<8 hexadecimal digits>+<base 64>");
        let (name, id, bytes) = parts(text.trim_ascii()).ok_or_else(form)?;
        let key = Self::new(name, &bytes)?;
        if key.identifier() != id {
            return Err(KeyError::Identifier(name.to_owned()));
        }
        Ok(key)
    }
}

/// Why a signature was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignFault(pub String);

/// Whoever signs checkpoints.
pub trait CheckpointSigner: Send {
    /// The key's public half.
    fn public_key(&self) -> &PublicKey;

    /// The Ed25519 signature of these bytes.
    ///
    /// # Errors
    /// When whoever holds the key does not answer.
    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFault>;
}

/// A key that signs checkpoints, in memory: `PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base 64>`. It is wiped when dropped.
pub struct CheckpointKey {
    public: PublicKey,
    secret: SigningKey,
}

impl CheckpointKey {
    /// A new key, from the system's random numbers.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        Self::from_seed(name, &Zeroizing::new(rand::random()))
    }

    /// The key of these 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = PublicKey::new(name, secret.verifying_key().as_bytes())?;
        Ok(Self { public, secret })
    }

    /// Reads what a key file holds; white space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError`], which never shows the key.
    pub fn read(file: &[u8]) -> Result<Self, KeyError> {
        let form = || {
            KeyError::Form(
                "secret key",
                "PRIVATE+KEY+<name>+<8 hexadecimal digits>+<base 64>",
            )
        };
        let text = std::str::from_utf8(file.trim_ascii()).map_err(|_| form())?;
        let rest = text.strip_prefix(SECRET).ok_or_else(form)?;
        let (name, id, seed) = parts(rest).ok_or_else(form)?;
        let key = Self::from_seed(name, &Zeroizing::new(seed))?;
        if key.public.identifier() != id {
            return Err(KeyError::Identifier(name.to_owned()));
        }
        Ok(key)
    }

    /// What a key file holds, for writing a key that was just made.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let id = HEXLOWER.encode(&self.public.identifier());
        let seed = Zeroizing::new(self.secret.to_bytes());
        let bytes = Zeroizing::new(tagged(&seed));
        let secret = Zeroizing::new(BASE64.encode(bytes.as_slice()));
        let name = self.public.name();
        Zeroizing::new(format!("{SECRET}{name}+{id}+{}", secret.as_str()))
    }
}

impl CheckpointSigner for CheckpointKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFault> {
        Ok(self.secret.sign(text).to_bytes())
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CheckpointKey({})", self.public)
    }
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note.
    #[error("it is no signed note: {0}")]
    Form(&'static str),
    /// No signature is of a key that is trusted.
    #[error("it is signed by none of the public keys (but by {})", .0.join(", "))]
    Foreign(Vec<String>),
    /// A signature that claims to be of a trusted key is not.
    #[error("its signature is not of the key that it names, {0}: it was changed or made up")]
    Wrong(String),
}

/// The note of this text, which ends with a line feed.
///
/// # Errors
/// [`SignFault`] of the signer.
pub fn sign(text: &str, signer: &dyn CheckpointSigner) -> Result<String, SignFault> {
    let key = signer.public_key();
    let signature = signer.sign(text.as_bytes())?;
    // Whoever holds the key answers over a socket: what does not verify is worth nothing.
    if !key.verifies(text.as_bytes(), &signature) {
        return Err(SignFault(format!("the signature does not verify by {key}")));
    }
    let signature = BASE64.encode(&[&key.identifier()[..], &signature].concat());
    Ok(format!("{text}\n{SIGNATURE}{} {signature}\n", key.name()))
}

/// The text of a note that at least one of these keys has signed; a signature of one of them that is wrong makes the note so.
///
/// # Errors
/// [`NoteError`].
pub fn open<'a>(note: &'a [u8], keys: &[PublicKey]) -> Result<&'a str, NoteError> {
    let (text, lines) = split(note)?;
    let (mut verified, mut foreign) = (false, Vec::new());
    for line in lines.lines() {
        let (name, id, signature) = signature(line)?;
        let found = keys
            .iter()
            .find(|key| key.name == name && key.identifier() == id);
        match found {
            Some(key) if key.verifies(text.as_bytes(), &signature) => verified = true,
            Some(key) => return Err(NoteError::Wrong(key.to_string())),
            None => foreign.push(format!("{name}+{}", HEXLOWER.encode(&id))),
        }
    }
    match verified {
        true => Ok(text),
        false => Err(NoteError::Foreign(foreign)),
    }
}

/// The text and the lines of its signatures: the last empty line parts them.
pub(super) fn split(note: &[u8]) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_LIMIT {
        return Err(NoteError::Form("it has more than 64 KiB"));
    }
    let note = std::str::from_utf8(note).map_err(|_| NoteError::Form("it is not UTF-8"))?;
    if note.chars().any(|c| c.is_ascii_control() && c != '\n') {
        return Err(NoteError::Form("it has control characters"));
    }
    let at = note
        .rfind("\n\n")
        .ok_or(NoteError::Form("no empty line parts text and signatures"))?;
    let (text, rest) = note.split_at(at + 1);
    let lines = rest
        .strip_prefix('\n')
        .filter(|lines| lines.ends_with('\n'));
    let lines = lines.ok_or(NoteError::Form("its last line has no end"))?;
    Ok((text, lines))
}

fn signature(line: &str) -> Result<(&str, [u8; 4], [u8; 64]), NoteError> {
    let parts = line.strip_prefix(SIGNATURE).and_then(|rest| {
        let (name, base64) = rest.split_once(' ')?;
        let bytes = BASE64.decode(base64.as_bytes()).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        Some((name, *id, signature.try_into().ok()?))
    });
    let parts = parts.filter(|(name, ..)| check_name(name).is_ok());
    parts.ok_or(NoteError::Form(
        "a line below the text is no Ed25519 signature",
    ))
}

/// Name, identifier and the 32 bytes of a key.
fn parts(text: &str) -> Option<(&str, [u8; 4], [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    let (id, base64) = rest.split_once('+')?;
    let id = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
    let bytes = Zeroizing::new(BASE64.decode(base64.as_bytes()).ok()?);
    match bytes.split_first()? {
        (&ED25519, key) => Some((name, id, key.try_into().ok()?)),
        _ => None,
    }
}

fn identifier(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', ED25519]);
    hash.update(key);
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn tagged(key: &[u8; 32]) -> [u8; 33] {
    let mut bytes = [ED25519; 33];
    for (to, from) in bytes.iter_mut().skip(1).zip(key) {
        *to = *from;
    }
    bytes
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let usable = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'+');
    match usable && (1..=200).contains(&name.len()) {
        true => Ok(()),
        false => Err(KeyError::Name),
    }
}

#[cfg(test)]
mod tests;
