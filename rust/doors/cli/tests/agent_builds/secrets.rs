//! After signing with a key in a file, in a token and in a TPM, no part of a key, no PIN and no passphrase is anywhere but where it belongs.

use std::fs;

use serde_json::json;
use touchstone_harness::WITH_TPM;
use touchstone_harness::agent::ServingAgent;

use super::needles::Needles;
use super::world::World;
use crate::support::assert_same_bytes;

/// What opens the token, the TPM's key, and the key of PCR values.
const PIN: &str = "71-anvil-orchard-28";
const AUTHORIZATION: &str = "velvet-tundra-6021-x";
const PASSPHRASE: &str = "seven lemons on a boat";

/// Puts the key of images into a token, and the agent beside a TPM that holds it, too. Whoever may dump a core, does.
const SERVE: &str = r#"
primary
tpm2_import --quiet --parent-context=primary.ctx --key-algorithm=rsa --input=keys/db.key --key-auth=file:keys/authorization --public=tpm/db.pub --private=tpm/db.priv
flush
tpm2_load --quiet --parent-context=primary.ctx --public=tpm/db.pub --private=tpm/db.priv --key-context=tpm/db.ctx
tpm2_evictcontrol --quiet --hierarchy=o --object-context=tpm/db.ctx 0x81010001
flush
softhsm2-util --init-token --free --label check --pin "$(cat keys/pin)" --so-pin 31415926535 >&2
softhsm2-util --import keys/db.key --token check --pin "$(cat keys/pin)" --label db --id 01 >&2
policy=$(<policy.in)
printf '%s' "${policy//@TCTI@/$TCTI}" >policy.json
chmod 600 policy.json
ulimit -c unlimited
exec "$TOUCHSTONE" agent serve --policy policy.json --state state
"#;

#[test]
fn no_key_is_anywhere_after_signing_by_file_token_and_tpm() {
    let world = World::new();
    for (file, secret) in [
        ("keys/pin", PIN),
        ("keys/authorization", AUTHORIZATION),
        ("keys/passphrase", PASSPHRASE),
    ] {
        world.work.write(file, secret);
        rustix::fs::chmod(world.work.path(file), 0o600.into()).unwrap();
    }
    let needles = needles(&world);
    world.encrypt_pcr_key("keys/passphrase");
    let agent = begin(&world);

    let mut images = Vec::new();
    for attribute in ["byFile", "byToken", "byTpm"] {
        world.grant(&world.instantiate(attribute));
        images.push(fs::read(world.build(attribute)).unwrap());
    }
    assert_same_bytes("file, token", &images[0], &images[1]);
    assert_same_bytes("file, TPM", &images[0], &images[2]);
    world.grant(&world.instantiate("signedManifest"));
    world.build("signedManifest");

    let search = needles.search();
    for pid in agent.processes() {
        for file in ["environ", "cmdline"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap();
            assert_eq!(search.among(&bytes), [""; 0], "{file} of {pid}");
        }
    }
    // The search finds the keys where they belong.
    let held = |pid: u32| search.memory(pid).0;
    let found: Vec<String> = agent.processes().into_iter().flat_map(held).collect();
    assert!(
        found.iter().any(|found| found.contains("keys/db.key, p,")),
        "{found:?}"
    );
    let (found, _) = search.below(&world.work.path("keys"), &[]);
    for what in ["PEM", "base 64", "PIN", "passphrase", "authorization"] {
        assert!(
            found.iter().any(|found| found.ends_with(what)),
            "{what}: {found:?}"
        );
    }

    // Whoever crashes leaves nothing.
    agent.crash().unwrap();
    let places = ["keys", "tokens", "tpm"].map(|place| world.work.path(place));
    let (found, looked_at) = search.below(world.work.folder(), &places);
    assert_eq!(found, [""; 0]);
    assert!(looked_at > 100 << 20, "{looked_at} bytes");
    let cores = fs::read_dir(world.work.folder()).unwrap();
    let cores = cores.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let cores: Vec<String> = cores.filter(|name| name.starts_with("core")).collect();
    assert_eq!(cores, [""; 0]);
}

fn needles(world: &World) -> Needles {
    let work = &world.work;
    let needles = Needles::new()
        .rsa(work, "keys/db.key")
        .rsa(work, "keys/pcr.key");
    needles
        .nix(work, "keys/nix.secret")
        .checkpoint(work, "keys/checkpoint.secret")
        .text("the PIN", PIN)
        .text("the passphrase", PASSPHRASE)
        .text("the authorization", AUTHORIZATION)
}

/// The agent with all kinds of keys.
fn begin(world: &World) -> ServingAgent {
    let work = &world.work;
    let path = |name: &str| work.path(name).display().to_string();
    for folder in ["tokens", "tpm"] {
        fs::create_dir(work.path(folder)).unwrap();
    }
    work.write(
        "softhsm2.conf",
        format!("directories.tokendir = {}\n", path("tokens")),
    );
    work.write("with-tpm.sh", WITH_TPM);
    let mut keys = world.file_keys();
    keys["pcr"]["passphraseFile"] = path("keys/passphrase").into();
    let image =
        |key: String| json!({ "kind": "image", "key": key, "certificate": path("keys/db.pem") });
    let pin = path("keys/pin");
    keys["token"] = image(format!(
        "pkcs11:token=check;object=db?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source={pin}"
    ));
    keys["tpm"] = image(format!(
        "tpm2:handle=0x81010001;auth-source={};tcti=@TCTI@",
        path("keys/authorization")
    ));
    work.write("policy.in", world.policy(keys).to_string());
    let mut command = world.daemon().beside("bash").unwrap();
    command.env("TOUCHSTONE", crate::support::TOUCHSTONE);
    command.env("SOFTHSM2_CONF", path("softhsm2.conf"));
    let begun = world.machine.begin({
        command.args(["with-tpm.sh", "tpm", SERVE]);
        command
    });
    begun.unwrap()
}
