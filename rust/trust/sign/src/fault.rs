//! The kinds of failure around a key, the same for files, tokens and TPMs.

/// Why a key is not used. Each has a stable name for programs and a way out for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What names the key cannot be read: a damaged URI, an unknown attribute.
    Name,
    /// Nothing answers: no such module, no such device, a TPM that does not speak.
    Unreachable,
    /// The token or the object is not there.
    Missing,
    /// Several tokens or objects match.
    Ambiguous,
    /// What was found holds no private key, or one in a form that is not read.
    NotAKey,
    /// The key is cut short, or its numbers do not belong together.
    Damaged,
    /// The key is in the keeping of another TPM than this one.
    Foreign,
    /// A kind or size of key, or a mechanism, that cannot sign boot files.
    Unsupported,
    /// A PIN, passphrase or authorization value is needed and was not given.
    SecretNeeded,
    /// The PIN, passphrase or authorization value is wrong.
    WrongSecret,
    /// Too many wrong PINs: the token is locked.
    Locked,
    /// Too many wrong authorization values: the TPM is in dictionary attack lockout.
    Lockout,
    /// The certificate cannot be read.
    Certificate,
    /// Key and certificate are not of one another.
    Mismatch,
    /// The certificate is not valid at this time.
    Expired,
    /// A signature that was to be made elsewhere is not there.
    MadeNowhere,
    /// What the signer made does not verify.
    WrongSignature,
    /// The holder of the key failed in another way.
    Failed,
}

impl Fault {
    /// The stable name, such as `key.wrong-secret`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Name => "key.name",
            Self::Unreachable => "key.unreachable",
            Self::Missing => "key.missing",
            Self::Ambiguous => "key.ambiguous",
            Self::NotAKey => "key.not-a-key",
            Self::Damaged => "key.damaged",
            Self::Foreign => "key.foreign",
            Self::Unsupported => "key.unsupported",
            Self::SecretNeeded => "key.secret-needed",
            Self::WrongSecret => "key.wrong-secret",
            Self::Locked => "key.locked",
            Self::Lockout => "key.lockout",
            Self::Certificate => "key.certificate",
            Self::Mismatch => "key.mismatch",
            Self::Expired => "key.expired",
            Self::MadeNowhere => "detached.missing",
            Self::WrongSignature => "key.wrong-signature",
            Self::Failed => "key.failed",
        }
    }

    /// What the person who reads this can do.
    pub fn help(self) -> &'static str {
        match self {
            Self::Name => {
                "correct the key's name: a file, pkcs11:… (RFC 7512) or tpm2:…, see docs/signing.md"
            }
            Self::Unreachable => {
                "check that the module, socket or device is there and that you may use it"
            }
            Self::Missing => {
                "check the token and the object that the URI names, for example with `pkcs11-tool --list-objects` or `tpm2_getcap handles-persistent`"
            }
            Self::Ambiguous => {
                "add attributes to the URI until one object matches: token, serial, object, id"
            }
            Self::NotAKey => {
                "name a private key: PKCS#8 (encrypted by PBES2 or not), PKCS#1 or SEC 1 in PEM or DER, or a URI of one"
            }
            Self::Damaged => "name the key in the form in which it was made",
            Self::Foreign => {
                "use the TPM in which the key was made; one that was cleared has lost its keys, so make a new one"
            }
            Self::Unsupported => "use RSA of 2048 to 4096 bits, P-256 or P-384",
            Self::SecretNeeded => {
                "give the name of a file that holds it: `pin-source` or `auth-source` in the URI, `--passphrase-file` for a key file"
            }
            Self::WrongSecret => {
                "correct the secret in its file before you try again: tokens and TPMs lock after a few wrong ones"
            }
            Self::Locked => "unlock the token with its security officer's PIN",
            Self::Lockout => {
                "wait until the TPM recovers, or clear the lockout with `tpm2_dictionarylockout --clear-lockout`"
            }
            Self::Certificate => "name the key's certificate, in PEM or DER",
            Self::Mismatch => "name a key and the certificate that was made for it",
            Self::Expired => {
                "have the certificate renewed, or sign with `--allow-expired`: firmware ignores dates"
            }
            Self::MadeNowhere => {
                "build with the public key alone, write what is to be signed with `touchstone boot requests`, sign it with `touchstone boot sign`, and put the files into this folder"
            }
            Self::WrongSignature => {
                "do not use what holds this key until it is repaired; nothing was written"
            }
            Self::Failed => "see what the holder of the key says, and try again",
        }
    }
}
