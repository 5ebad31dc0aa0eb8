//! `tpm2:` URIs, which name a key.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::tcti::{Tcti, TctiError};

/// What every name of such a key begins with.
const SCHEME: &str = "tpm2:";

/// Names a key of a TPM: `tpm2:handle=0x81010001` or `tpm2:file=/path/key.pem`, then `;auth-source=/path` and `;tcti=…` where they are needed.
///
/// The values are percent-encoded (RFC 3986 section 2.1); `;` and `%` must be. Secrets have no place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUri {
    place: KeyPlace,
    auth_source: Option<PathBuf>,
    tcti: Tcti,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the TPM, under a persistent handle.
    Handle(u32),
    /// In a file that the TPM alone can decrypt.
    File(PathBuf),
}

/// Why a text names no key. The texts never repeat a value, which might be a secret that has no place in a URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not begin with `tpm2:`.
    #[error("the name of a TPM's key begins with `tpm2:`")]
    Scheme,
    /// A part without `=`, or without a name or value.
    #[error("part {0} of the URI has not the form NAME=VALUE")]
    Form(usize),
    /// A percent sign without two hexadecimal digits.
    #[error("the value of `{0}` is not percent-encoded: write %25 for a percent sign")]
    Encoding(&'static str),
    /// A name that is not known.
    #[error("`{0}` is no attribute of a tpm2 URI: use handle, file, auth-source, tcti")]
    Unknown(String),
    /// A name that stands twice.
    #[error("`{0}` stands twice")]
    Twice(&'static str),
    /// Neither `handle` nor `file`, or both.
    #[error("name one of handle=… and file=…")]
    Place,
    /// No handle of a persistent object.
    #[error(
        "the handle is none of a persistent object: use 0x81000000 to 0x81ffffff, as `tpm2_getcap handles-persistent` lists them"
    )]
    Handle,
    /// No way to a TPM.
    #[error("tcti: {0}")]
    Tcti(#[from] TctiError),
}

impl KeyUri {
    /// Where the key is.
    pub fn place(&self) -> &KeyPlace {
        &self.place
    }

    /// The file whose first line is the key's authorization value.
    pub fn auth_source(&self) -> Option<&Path> {
        self.auth_source.as_deref()
    }

    /// The key in words for a message.
    pub fn describe(&self) -> String {
        match &self.place {
            KeyPlace::Handle(handle) => format!("TPM key {handle:#010x} at {}", self.tcti),
            KeyPlace::File(file) => format!("TPM key file {} at {}", file.display(), self.tcti),
        }
    }

    /// How the TPM is reached.
    pub fn tcti(&self) -> &Tcti {
        &self.tcti
    }
}

/// The values as they were found, each at most once.
#[derive(Default)]
struct Attributes {
    handle: Option<Vec<u8>>,
    file: Option<Vec<u8>>,
    auth_source: Option<Vec<u8>>,
    tcti: Option<Vec<u8>>,
}

impl Attributes {
    fn read(text: &str) -> Result<Attributes, UriError> {
        let mut attributes = Attributes::default();
        for (index, part) in text.split(';').enumerate() {
            let form = || UriError::Form(index.saturating_add(1));
            let (name, value) = part.split_once('=').ok_or_else(form)?;
            if name.is_empty() || value.is_empty() {
                return Err(form());
            }
            let (name, place) = attributes.place(name)?;
            if place.replace(decoded(name, value)?).is_some() {
                return Err(UriError::Twice(name));
            }
        }
        Ok(attributes)
    }

    fn place(&mut self, name: &str) -> Result<(&'static str, &mut Option<Vec<u8>>), UriError> {
        match name {
            "handle" => Ok(("handle", &mut self.handle)),
            "file" => Ok(("file", &mut self.file)),
            "auth-source" => Ok(("auth-source", &mut self.auth_source)),
            "tcti" => Ok(("tcti", &mut self.tcti)),
            _ => Err(UriError::Unknown(name.to_owned())),
        }
    }
}

impl FromStr for KeyUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<KeyUri, UriError> {
        let attributes = Attributes::read(text.strip_prefix(SCHEME).ok_or(UriError::Scheme)?)?;
        let place = match (attributes.handle, attributes.file) {
            (Some(handle), None) => KeyPlace::Handle(persistent(&handle)?),
            (None, Some(file)) => KeyPlace::File(path(file)),
            _ => return Err(UriError::Place),
        };
        let tcti = match attributes.tcti {
            Some(tcti) => String::from_utf8(tcti)
                .map_err(|_| UriError::Encoding("tcti"))?
                .parse()?,
            None => Tcti::default(),
        };
        Ok(KeyUri {
            place,
            auth_source: attributes.auth_source.map(path),
            tcti,
        })
    }
}

/// A persistent handle: the range is that of TPM_HT_PERSISTENT (TPM 2.0 Part 2, section 7.2).
fn persistent(text: &[u8]) -> Result<u32, UriError> {
    let digits = text.strip_prefix(b"0x").ok_or(UriError::Handle)?;
    std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .filter(|handle| handle >> 24 == 0x81)
        .ok_or(UriError::Handle)
}

fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

fn decoded(name: &'static str, value: &str) -> Result<Vec<u8>, UriError> {
    let complete = value.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        let mut digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        digit() && digit()
    });
    if complete {
        Ok(percent_decode_str(value).collect())
    } else {
        Err(UriError::Encoding(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uri(text: &str) -> Result<KeyUri, UriError> {
        text.parse()
    }

    #[test]
    fn names_a_persistent_handle_or_a_file() {
        let handle = uri("tpm2:handle=0x81010001").unwrap();
        assert_eq!(handle.place(), &KeyPlace::Handle(0x8101_0001));
        assert_eq!(handle.tcti(), &Tcti::default());
        assert_eq!(handle.auth_source(), None);
        let file =
            uri("tpm2:tcti=swtpm:port=7;file=/a%3bb%25;auth-source=/run/secrets/x y").unwrap();
        assert_eq!(file.place(), &KeyPlace::File("/a;b%".into()));
        assert_eq!(file.auth_source(), Some(Path::new("/run/secrets/x y")));
        assert_eq!(file.tcti().to_string(), "swtpm:host=localhost,port=7");
    }

    #[test]
    fn refuses_what_is_unknown_doubled_or_missing() {
        assert_eq!(uri("pkcs11:x=y"), Err(UriError::Scheme));
        assert_eq!(uri("tpm2:"), Err(UriError::Form(1)));
        assert_eq!(uri("tpm2:handle"), Err(UriError::Form(1)));
        assert_eq!(uri("tpm2:file=x;"), Err(UriError::Form(2)));
        assert_eq!(uri("tpm2:file="), Err(UriError::Form(1)));
        assert_eq!(uri("tpm2:file=a;file=b"), Err(UriError::Twice("file")));
        assert_eq!(uri("tpm2:tcti=swtpm"), Err(UriError::Place));
        assert_eq!(uri("tpm2:file=a;handle=0x81000000"), Err(UriError::Place));
        for value in ["%", "%4", "%zz", "a%%41"] {
            assert_eq!(
                uri(&format!("tpm2:file={value}")),
                Err(UriError::Encoding("file"))
            );
        }
    }

    #[test]
    fn refuses_handles_of_anything_but_persistent_objects() {
        for handle in [
            "0x80000000",
            "0x82000000",
            "0x40000001",
            "81000000",
            "0x",
            "0x+81000000",
            "0x181000000",
            "2164326401",
        ] {
            assert_eq!(
                uri(&format!("tpm2:handle={handle}")),
                Err(UriError::Handle),
                "{handle}"
            );
        }
    }

    #[test]
    fn never_repeats_a_value() {
        for wrong in [
            "auth=tomato",
            "auth-source=%tomato",
            "handle=tomato",
            "tomato",
        ] {
            let error = uri(&format!("tpm2:file=x;{wrong}")).unwrap_err();
            assert!(!error.to_string().contains("tomato"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_path_can_be_named(path in "[^\0]+") {
            let encoded = percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC);
            let named = uri(&format!("tpm2:file={encoded}")).unwrap();
            prop_assert_eq!(named.place(), &KeyPlace::File(path.into()));
        }

        #[test]
        fn reads_any_text(text in ".*") {
            let _ = uri(&format!("tpm2:{text}"));
        }
    }
}
