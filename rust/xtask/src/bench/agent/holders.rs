//! Who holds the keys: files, a token (SoftHSM2), a TPM (swtpm).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use touchstone_harness::agent::{AgentMachine, ServingAgent};
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, WITH_TPM};

use super::policy;

/// A key.
pub struct Holder {
    /// What the policy calls it.
    pub name: &'static str,
    /// What is printed for it.
    pub says: &'static str,
    /// Whose certificate it has.
    pub certificate: &'static str,
    /// The request's words for it; `@` stands for the folder, and the script puts `@TCTI@` in.
    key: &'static str,
}

/// All of them; builds sign by the first.
pub const HOLDERS: [Holder; 5] = [
    Holder {
        name: "rsa2048",
        says: "RSA 2048, file",
        certificate: "rsa2048",
        key: "@/keys/rsa2048.key",
    },
    Holder {
        name: "rsa4096",
        says: "RSA 4096, file",
        certificate: "rsa4096",
        key: "@/keys/rsa4096.key",
    },
    Holder {
        name: "p256",
        says: "P-256, file",
        certificate: "p256",
        key: "@/keys/p256.key",
    },
    Holder {
        name: "token",
        says: "RSA 2048, SoftHSM2",
        certificate: "rsa2048",
        key: "pkcs11:token=bench;object=db?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=@/keys/pin",
    },
    Holder {
        name: "tpm",
        says: "RSA 2048, swtpm",
        certificate: "rsa2048",
        key: "tpm2:handle=0x81010001;tcti=@TCTI@",
    },
];

impl Holder {
    /// The key as requests name it.
    pub fn key(&self, folder: &Path) -> String {
        let folder = folder.display().to_string();
        self.key.replacen("@/", &format!("{folder}/"), 1)
    }
}

/// Makes the keys. The first is a test key: a build opens no other by itself.
const KEYS: &str = r#"
set -eu
mkdir -p keys tokens tpm
"$TOUCHSTONE" keys generate --test keys/test >&2
cp keys/test/db.key keys/rsa2048.key
cp keys/test/db.pem keys/rsa2048.pem
openssl req -x509 -newkey rsa:4096 -nodes -keyout keys/rsa4096.key -out keys/rsa4096.pem -subj /CN=rsa4096 -days 9
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout keys/p256.key -out keys/p256.pem -subj /CN=p256 -days 9
"$TOUCHSTONE" agent log keygen --name bench-1 keys/checkpoint.secret
echo 271828 >keys/pin
chmod 600 keys/*.key keys/*.secret keys/pin
# Build users read the one that sandboxes show.
chmod 755 keys/test
chmod 644 keys/test/db.key
softhsm2-util --init-token --free --label bench --pin 271828 --so-pin 314159
softhsm2-util --import keys/rsa2048.key --token bench --pin 271828 --label db --id 01
"#;

/// Puts the key into the TPM, whose port is known now, and becomes the agent.
const SERVE: &str = r#"
primary
tpm2_import --quiet --parent-context=primary.ctx --key-algorithm=rsa --input=keys/rsa2048.key --public=tpm.pub --private=tpm.priv
flush
tpm2_load --quiet --parent-context=primary.ctx --public=tpm.pub --private=tpm.priv --key-context=tpm.ctx
tpm2_evictcontrol --quiet --hierarchy=o --object-context=tpm.ctx 0x81010001
flush
printf '%s' "$TCTI" >tcti
policy=$(<policy.in)
printf '%s' "${policy//@TCTI@/$TCTI}" >policy.json
chmod 600 policy.json
exec "$TOUCHSTONE" agent serve --policy policy.json --state state
"#;

/// Makes all keys, and starts the agent that holds them.
pub fn begin(
    machine: &AgentMachine,
    inputs: &Inputs,
    folder: &Path,
    program: &Path,
) -> Result<ServingAgent> {
    let stubs = [("addon-stub", &inputs.addon_stub), ("stub", &inputs.stub)];
    for (name, stubs) in stubs {
        let stub = stubs.get("trixie").and_then(|stubs| stubs.get("x64"));
        fs::copy(stub.context("no stub of systemd")?, folder.join(name))?;
    }
    let tokens = folder.join("tokens");
    let configuration = format!("directories.tokendir = {}\n", tokens.display());
    fs::write(folder.join("softhsm2.conf"), configuration)?;
    fs::write(folder.join("with-tpm.sh"), WITH_TPM)?;

    output(bash(machine, folder, program, &["-c", KEYS])?)?;
    fs::write(folder.join("policy.in"), policy(folder).to_string())?;
    machine.begin(bash(
        machine,
        folder,
        program,
        &["with-tpm.sh", "tpm", SERVE],
    )?)
}

fn bash(
    machine: &AgentMachine,
    folder: &Path,
    program: &Path,
    arguments: &[&str],
) -> Result<std::process::Command> {
    let mut command = machine.daemon().beside("bash")?;
    command.env("TOUCHSTONE", program);
    command.env("SOFTHSM2_CONF", folder.join("softhsm2.conf"));
    command.args(arguments);
    Ok(command)
}
