//! What `touchstone-probe` is ordered to do with its machine's TPM and disk (its README has the format).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// What each SMBIOS string with a part of the orders begins with.
const PREFIX: &str = "touchstone.orders=";
/// Characters of a part. Firmware and kernel take longer ones; logs of commands are easier to read with these.
const PART: usize = 1000;

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Extend a register with a word in every active bank, as systemd does at the phases of a boot.
    Extend {
        /// The register.
        pcr: u32,
        /// The word.
        word: String,
    },
    /// Unseal an object under a policy.
    Unseal(Unseal),
    /// Run a program of the system on the disk to its end.
    Run {
        /// The program's path.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Its environment: nothing else is in it.
        environment: BTreeMap<String, String>,
    },
    /// List every file below a folder that is on the same file system.
    List {
        /// The folder.
        folder: String,
    },
}

impl Order {
    /// Runs a program without an environment: its path, then its arguments.
    #[must_use]
    pub fn run(program: &str, arguments: &[&str]) -> Order {
        Order::Run {
            program: program.to_owned(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: BTreeMap::new(),
        }
    }
}

/// An object in the TPM, and ways to fulfil its policy: `PolicyPCR`, then `PolicyOR` for each node of a path, then `PolicyAuthorize`
/// where something is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unseal {
    /// The persistent handle.
    pub handle: u32,
    /// `TPM_ALG_ID` of the bank; SHA-256 is 11.
    pub bank: u16,
    /// The registers.
    pub pcrs: Vec<u32>,
    /// Lists of digests for `PolicyOR`.
    pub nodes: Vec<Vec<Bytes>>,
    /// Ways to try, one after another: numbers of nodes to go through. None is the way without a node.
    pub paths: Vec<Vec<usize>>,
    /// What approves of the digest behind the nodes.
    pub signed: Option<Signed>,
}

/// An approval for `PolicyAuthorize`, by RSA PKCS#1 v1.5 with SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The key: a `TPMT_PUBLIC`.
    pub public: Bytes,
    /// The approved policy digest.
    pub policy: Bytes,
    /// The policy reference.
    pub reference: Bytes,
    /// The signature over both.
    pub signature: Bytes,
}

/// Bytes that are written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes that hexadecimal digits (in small letters) stand for.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn of_hex(text: &str) -> anyhow::Result<Bytes> {
        Ok(Bytes(data_encoding::HEXLOWER.decode(text.as_bytes())?))
    }

    /// The same of base 64.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn of_base64(text: &str) -> anyhow::Result<Bytes> {
        Ok(Bytes(data_encoding::BASE64.decode(text.as_bytes())?))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The orders as SMBIOS strings.
pub(super) fn strings(orders: &[Order]) -> anyhow::Result<Vec<String>> {
    let text = serde_json::to_string(orders)?;
    let characters: Vec<char> = text.chars().collect();
    let parts = characters.chunks(PART).enumerate().map(|(number, part)| {
        let part: String = part.iter().collect();
        format!("{PREFIX}{number}:{part}")
    });
    Ok(parts.collect())
}

/// What came of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The register was extended: its values then, by bank as the kernel names it, in hexadecimal digits.
    Extended(BTreeMap<String, String>),
    /// The object's secret.
    Unsealed(Vec<u8>),
    /// No way led to the secret: what the TPM refused, as the command without `TPM2_` and the response code.
    Refused(Vec<(String, u32)>),
    /// The program ran.
    Ran(Ran),
    /// The files, each with what it is: `program` (ELF), `script`, `executable` (by its bits alone), `file`, `link`, `special`.
    Listed(Vec<(String, String)>),
}

/// How a program ended in the guest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// `exit N`, or `signal N`.
    pub how: String,
    /// What it wrote on standard output.
    pub output: Vec<u8>,
    /// What it wrote on standard error.
    pub errors: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_numbered_parts_of_one_list() {
        let order = Order::Extend {
            pcr: 11,
            word: "x".repeat(PART),
        };
        let parts = strings(&[order]).unwrap();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].starts_with("touchstone.orders=0:[{\"extend\":{\"pcr\":11,\"word\":\"xx"));
        assert!(parts[1].starts_with("touchstone.orders=1:x") && parts[1].ends_with("x\"}}]"));
    }
}
