//! `keys.generate`: test keys for Secure Boot. The one operation whose answer is random.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::keys::{RsaSize, TEST_KEY_MARK, TestKeyRequest, generate_test};
use touchstone_sign::{certificate, esl};
use uuid::{Uuid, uuid};

use crate::{Context, Error, output};

/// The owner that stands beside each certificate in the signature lists.
const OWNER: Uuid = uuid!("5ac8e1a5-6a3e-4d0b-9c64-9f2f6f1c7a01");
/// 2020-01-01 and 2050-01-01: firmware ignores the dates, other verifiers want to be within them.
const VALIDITY: (u64, u64) = (1_577_836_800, 2_524_608_000);
const VARIABLES: [&str; 3] = ["PK", "KEK", "db"];

/// The request of `keys.generate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GenerateKeys {
    /// The folder to make, with `PK`, `KEK` and `db`, each as `.key` (private), `.pem` (certificate) and `.esl` (signature list).
    pub output: PathBuf,
}

/// The answer of `keys.generate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedKeys {
    /// The organizational unit by which every certificate is marked.
    pub mark: String,
    /// The variables that keys were made for.
    pub variables: Vec<String>,
}

impl GenerateKeys {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Exists`] when the folder is there already, [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<GeneratedKeys, Error> {
        output::folder(&self.output, |folder| {
            for name in VARIABLES {
                context.progress.phase(&format!("making the {name} key"));
                generate(folder, name)?;
            }
            Ok(GeneratedKeys {
                mark: TEST_KEY_MARK.to_owned(),
                variables: VARIABLES.map(str::to_owned).to_vec(),
            })
        })
    }
}

fn generate(folder: &Path, name: &str) -> Result<(), Error> {
    let refused = |fact: String| Error::Key {
        key: name.to_owned(),
        fact,
        help: "run the command again; if this persists, report it",
    };
    let key = generate_test(&TestKeyRequest {
        common_name: name,
        size: RsaSize::Bits2048,
        not_before: VALIDITY.0,
        not_after: VALIDITY.1,
    })
    .map_err(|error| refused(error.to_string()))?;
    let certificate = certificate::read(key.certificate_pem.as_bytes())
        .map_err(|error| refused(error.to_string()))?;
    let list =
        esl::of_certificates(OWNER, &[certificate]).map_err(|error| refused(error.to_string()))?;
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    write_private(&path("key"), key.key_pem.as_bytes())?;
    output::bytes(&path("pem"), key.certificate_pem.as_bytes())?;
    output::bytes(&path("esl"), &list)
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    std::io::Write::write_all(&mut file, bytes).map_err(failed)
}
