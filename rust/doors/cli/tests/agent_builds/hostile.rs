//! A hostile build, beside honest ones of the same nix-daemon at the same time: it gets nothing, or a refusal that stands in the log.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::forged::Forged;
use super::world::World;
use crate::sign::sbverify;

/// How long a build may take to meet the test.
const PATIENCE: Duration = Duration::from_secs(120);

/// What each attempt is refused for; the one that is done shows that nothing else was wrong with the others.
const REFUSED: [(&str, &str); 28] = [
    // A second `init=`, or one that leads elsewhere.
    ("firstInit", "image.commandLine"),
    ("secondInit", "image.commandLine"),
    ("quotedInit", "image.commandLine"),
    ("word", "image.commandLine"),
    ("noInit", "image.commandLine"),
    ("outside", "image.commandLine"),
    // A foreign kernel.
    ("otherKernel", "image.kernel"),
    // A supplied digest.
    ("digestAsField", "protocol.malformed"),
    ("digestAsImage", "image.malformed"),
    ("digestAsManifest", "manifest.malformed"),
    // Images of which one reader sees other parts than another.
    ("overlappingInTheFile", "image.malformed"),
    ("overlappingInMemory", "image.structure"),
    ("secondCommandLine", "image.section"),
    ("longerInMemory", "image.structure"),
    ("withATail", "image.structure"),
    // Files of the store where no part of an image is.
    ("partBehindTheEnd", "protocol.malformed"),
    ("overlappingParts", "protocol.malformed"),
    ("hugePart", "protocol.too-large"),
    ("manyParts", "protocol.too-large"),
    ("partInFront", "image.malformed"),
    // Store paths whose content is another, by the document and by the disk.
    ("tamperedManifest", "manifest.differs"),
    ("tamperedOnDisk", "store.changed"),
    // What another build asked, and was answered.
    ("replayedRequest", "image.init"),
    ("replayedAnswer", "protocol.malformed"),
    // Other keys, and other languages.
    ("unknownKey", "policy.operation"),
    ("wrongKey", "policy.operation"),
    ("grantItself", "protocol.malformed"),
    ("hello", "protocol.version"),
];

/// Files that are not read for it: it is told to send the whole image, whether they are there or not.
const NOT_READ: [&str; 3] = ["foreignPart", "absentPart", "partOfAnotherSize"];

#[test]
fn a_hostile_build_beside_honest_ones_gets_nothing_or_a_refusal_in_the_log() {
    let world = World::new();
    let agent = world.serve(&world.policy(world.file_keys()));
    let signed = |attribute: &str| {
        world.grant(&world.instantiate(attribute));
        world.build(attribute)
    };
    let other = signed("otherGranted");
    for manifest in ["manifest", "otherManifest"] {
        world.sign_closure(&world.system_of(manifest));
    }
    bring_evidence(&world, &other);

    let derivation = world.instantiate("attempts");
    let mut hostile = world.building("attempts").spawn().unwrap();
    meet(&world, &mut hostile);
    let between = world.log().len();
    // At the same time, by the same daemon.
    for (attribute, name) in [("granted", "granted.efi"), ("open", "open.efi")] {
        let built = match attribute {
            "granted" => signed(attribute),
            _ => world.build(attribute),
        };
        world.work.write(name, fs::read(built).unwrap());
        assert!(sbverify(&world.work, "keys/db.pem", name), "{name}");
    }
    nothing_by_anothers_name(&world);
    nothing_without_the_feature(&world);
    assert!(hostile.try_wait().unwrap().is_none());
    fs::write(world.work.path("meeting/go"), "").unwrap();
    assert!(hostile.wait().unwrap().success());

    let out = world.build("attempts");
    assert_eq!(fs::read_to_string(out.join("sees")).unwrap(), "socket");
    let log = world.log();
    every_attempt_is_refused(&out, &log, &derivation);
    let theirs =
        |entry: &Value| entry["event"] == "refused" && entry.to_string().contains(&derivation);
    assert!(log[..between].iter().any(theirs) && log[between..].iter().any(theirs));
    anothers_answer_is_no_signature(&world, &other);
    agent.stop().unwrap();
    world.verify_log();
}

/// Waits until the hostile build has had its first answer.
fn meet(world: &World, build: &mut Child) {
    let begun = Instant::now();
    while !world.work.path("meeting/arrived").exists() {
        let ended = build.try_wait().unwrap();
        assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the hostile build brings along. `other` is what another build had signed, of a system that is none of its inputs.
fn bring_evidence(world: &World, other: &Path) {
    let bring = |name: &str, bytes: &[u8]| world.work.write(&format!("evidence/{name}"), bytes);
    let unsigned = Forged::of(&fs::read(world.build("unsigned")).unwrap());
    for (name, forged) in [
        ("otherKernel", unsigned.clone().other_kernel()),
        (
            "overlappingInTheFile",
            unsigned.clone().overlapping_in_the_file(),
        ),
        (
            "overlappingInMemory",
            unsigned.clone().overlapping_in_memory(),
        ),
        ("secondCommandLine", unsigned.clone().second_command_line()),
        ("longerInMemory", unsigned.clone().longer_in_memory()),
        ("withATail", unsigned.clone().with_a_tail()),
    ] {
        bring(name, forged.bytes());
    }
    bring(
        "replayedRequest",
        &fs::read(world.build("otherUnsigned")).unwrap(),
    );
    bring("replayedAnswer", &answer(&fs::read(other).unwrap()));
    // What an Authenticode signature of the honest image is computed of.
    bring(
        "digest",
        &world.authenticode_digest(&world.build("unsigned")),
    );

    let manifest = fs::read_to_string(world.build("manifest")).unwrap();
    bring("tamperedManifest", other_hash(&manifest).as_bytes());
    // Its hash is the one that Nix' database has; its content is not.
    let of_rescue = fs::read(world.build("rescueManifest")).unwrap();
    bring("tamperedOnDisk", &of_rescue);
    let system = world.daemon().on_host(&world.system_of("rescueManifest"));
    fs::write(system.join("nixos-version"), "another version").unwrap();
}

/// The frame by which the agent answered, with the signature of a signed image.
fn answer(signed: &[u8]) -> Vec<u8> {
    let signature = signature(signed);
    let message = json!({ "status": "done", "done": { "operation": "authenticode" }, "entry": 1 });
    let header = json!({ "id": 1, "size": signature.len(), "message": message }).to_string();
    let length = u32::try_from(header.len()).unwrap().to_be_bytes();
    [&length, header.as_bytes(), signature].concat()
}

/// The SignedData of an image with one signature.
fn signature(signed: &[u8]) -> &[u8] {
    let table = Forged::of(signed).certificate_table();
    let length = u32::from_le_bytes(signed[table..table + 4].try_into().unwrap());
    &signed[table + 8..table + usize::try_from(length).unwrap()]
}

/// The manifest in which the toplevel has the hash of something else.
fn other_hash(manifest: &str) -> String {
    let (before, after) = manifest.split_once("\"narHash\":\"sha256-").unwrap();
    let (hash, after) = after.split_once('"').unwrap();
    let other = match hash.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", &hash[1..]),
    };
    format!("{before}\"narHash\":\"sha256-{other}\"{after}")
}

/// Somebody else's name opens no door: root has granted another derivation.
fn nothing_by_anothers_name(world: &World) {
    let derivation = world.instantiate("impostor");
    let out = world.build("impostor");
    assert_got_nothing(&out);
    let declined =
        |entry: &Value| entry["event"] == "declined" && entry["derivation"] == derivation.as_str();
    let log = world.log();
    assert!(log.iter().any(declined), "{log:#?}");
}

/// What does not ask for the feature sees no socket: a program of ours says so, and one that asks by hand gets nothing.
fn nothing_without_the_feature(world: &World) {
    let refused = world.refused("withoutFeature");
    assert!(refused.contains("touchstone-agent"), "{refused}");
    assert_got_nothing(&world.build("attemptsWithoutFeature"));
    let log = format!("{:?}", world.log());
    for attribute in ["withoutFeature", "attemptsWithoutFeature"] {
        assert!(!log.contains(&world.instantiate(attribute)));
    }
}

fn assert_got_nothing(out: &Path) {
    let nothing = fs::read_to_string(out.join("proper.nothing")).unwrap();
    assert!(nothing.starts_with("no socket: "), "{nothing}");
    let sees = fs::read_to_string(out.join("sees")).unwrap();
    assert!(sees.starts_with("nothing: "), "{sees}");
}

/// Each attempt has a refusal, the log has it with the derivation, and nothing but `proper` was signed.
fn every_attempt_is_refused(out: &Path, log: &[Value], derivation: &str) {
    let mut others = Vec::new();
    for (name, code) in REFUSED {
        let answer = fs::read(out.join(format!("{name}.json"))).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let message = &answer["message"];
        assert_eq!(message["status"], "refused", "{name}: {answer}");
        if message["code"] != code {
            others.push(format!("{name}: {answer}"));
        }
        let said = message["entry"].as_u64().unwrap();
        let is_said = |entry: &&Value| entry["sequence"] == said;
        let entry = log.iter().find(is_said).unwrap();
        assert_eq!(entry["event"], "refused", "{name}: {entry}");
        assert_eq!(entry["code"], message["code"], "{name}: {entry}");
        assert_eq!(entry["client"]["derivation"], derivation, "{name}: {entry}");
    }
    assert_eq!(others, [""; 0], "refused for other reasons");
    for name in NOT_READ {
        let answer = fs::read(out.join(format!("{name}.json"))).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            answer["message"]["done"]["operation"], "sendWhole",
            "{name}: {answer}"
        );
        assert!(answer["size"].is_null(), "{name}: {answer}");
    }
    let answered = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let names: Vec<String> = fs::read_dir(out)
        .unwrap()
        .map(|entry| answered(entry.unwrap()))
        .collect();
    let asked = names
        .iter()
        .filter(|name| name.ends_with(".json") || name.ends_with(".nothing"));
    assert_eq!(
        asked.count(),
        REFUSED.len() + NOT_READ.len() + 1,
        "{names:?}"
    );
    let proper: Value =
        serde_json::from_slice(&fs::read(out.join("proper.json")).unwrap()).unwrap();
    assert_eq!(proper["message"]["status"], "done", "{proper}");
    let theirs =
        |entry: &&Value| entry["event"] == "signed" && entry.to_string().contains(derivation);
    assert_eq!(log.iter().filter(theirs).count(), 1);
}

/// The signature that another build was given does not fit the hostile one's image.
fn anothers_answer_is_no_signature(world: &World, other: &Path) {
    let work = &world.work;
    work.write("answer", signature(&fs::read(other).unwrap()));
    work.write("attached.efi", work.read("evidence/otherKernel"));
    let attached = work.debian("sbattach", &["--attach", "answer", "attached.efi"]);
    assert!(attached.status.success(), "{attached:?}");
    assert!(!sbverify(work, "keys/db.pem", "attached.efi"));
    let verified = work.touchstone([
        "pe",
        "verify",
        "--certificate",
        "keys/db.pem",
        "attached.efi",
    ]);
    // A verdict, and no failure.
    assert_eq!(verified.status.code(), Some(3));
}
