//! `touchstone-install status`.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_artifacts::keys::GenerateKeys;
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::sign::SignPe;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, HostFiles};
use touchstone_harness::inputs;

use crate::world::World;

/// What stands in the names of test keys.
const OURS: &str = "CN=ours db,OU=Touchstone test key\\, do not trust";
const STRANGERS: &str = "CN=strangers db,OU=Touchstone test key\\, do not trust";

/// Keys of two owners, and a program of the firmware (systemd-boot, which says what it is in `.osrel`) signed by each.
struct Signed {
    folder: TempDir,
    ours: Vec<u8>,
    strangers: Vec<u8>,
}

impl Signed {
    /// Made once: keys take their time.
    fn once() -> &'static Self {
        static SIGNED: OnceLock<Signed> = OnceLock::new();
        SIGNED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = inputs().boot["sid"]["x64"].clone();
        for owner in ["ours", "strangers"] {
            let keys = folder.path().join(owner);
            let request = json!({ "output": keys, "test": true, "name": owner });
            let request: GenerateKeys = serde_json::from_value(request).unwrap();
            request.run(&context()).unwrap();
            sign(&program, &keys, &folder.path().join(format!("{owner}.efi")));
        }
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        Self {
            ours: read("ours.efi"),
            strangers: read("strangers.efi"),
            folder,
        }
    }

    /// A machine that enforces signatures of the first owner; boot loader and kernel have one.
    fn machine(&self) -> World {
        let mut world = World::with_loader(&self.ours);
        let db = fs::read(self.folder.path().join("ours/db.esl")).unwrap();
        world.enforce(true);
        world.raw_variable("db-d719b2cb-3d3a-4596-a3bc-dad00e67656f", &db);
        world.variable("LoaderInfo", "systemd-boot 257.13");
        world.variable("LoaderEntrySelected", &world.entry(1).id());
        world.settings["images"] = json!("sealed");
        world
    }
}

fn context() -> Context<'static> {
    Context {
        files: &HostFiles,
        progress: &Silent,
        keys: KeyPolicy::Any,
        agent: None,
        now: Some(1_700_000_000),
    }
}

fn sign(program: &Path, keys: &Path, output: &Path) {
    let request = json!({
        "file": program, "output": output, "replace": true,
        "sign": { "key": keys.join("db.key"), "certificate": keys.join("db.pem") },
    });
    let request: SignPe = serde_json::from_value(request).unwrap();
    request.run(&context()).unwrap();
}

/// The status, and whether something that should boot will not.
fn status(world: &World) -> (bool, Value) {
    let said = world.run(&["status", "--json"]);
    assert!([0, 3].contains(&said.status), "{}", said.error);
    (said.status == 0, said.json())
}

fn entry(status: &Value, generation: u64) -> &Value {
    let entries = status["volumes"][0]["entries"].as_array().unwrap();
    let own = |entry: &&Value| entry["generation"]["number"] == generation;
    entries.iter().find(own).unwrap()
}

/// Files of the partition whose names begin so.
fn files(world: &World, folder: &str, prefix: &str) -> Vec<std::path::PathBuf> {
    let listed = fs::read_dir(world.at("/boot").join(folder)).unwrap();
    let paths = listed.map(|entry| entry.unwrap().path());
    let named =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().contains(prefix);
    paths.filter(named).collect()
}

#[test]
fn says_of_each_entry_what_it_is_and_whether_it_boots() {
    let signed = Signed::once();
    let world = signed.machine();
    let second = world.sealed("2", &signed.ours);
    world.done(&["boot", second.as_str()]);
    let (good, status) = status(&world);
    assert!(good, "{status:#}");
    assert_eq!(status["machine"]["secureBoot"], "enforced");
    let new = entry(&status, 2);
    assert_eq!(new["generation"]["toplevel"], second.as_str());
    assert_eq!(
        (&new["assessment"], &new["left"]),
        (&json!("indeterminate"), &json!(3))
    );
    assert_eq!(
        (&new["boots"], &new["signedBy"]),
        (&json!(true), &json!([OURS]))
    );
    let pcrs = &new["predicted"]["leaves"][0]["pcrs"];
    assert_eq!(
        pcrs.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["7", "11"]
    );
    assert_eq!(
        (&new["default"], &new["next"], &new["booted"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let old = entry(&status, 1);
    assert_eq!(
        (&old["assessment"], &old["booted"], &old["next"]),
        (&json!("good"), &json!(true), &json!(false))
    );
    let loaders = status["volumes"][0]["loaders"].as_array().unwrap();
    assert_eq!(loaders.len(), 2);
    assert!(
        loaders
            .iter()
            .all(|one| one["boots"] == true && one["version"].is_string())
    );
}

#[test]
fn shows_a_table() {
    let signed = Signed::once();
    let world = signed.machine();
    world.done(&["boot", world.sealed("2", &signed.ours).as_str()]);
    world.write("/boot/EFI/Linux/arch.efi", &signed.ours);
    let said = world.run(&["status"]);
    assert_eq!(said.status, 0, "{}{}", said.text, said.error);
    for line in [
        "Secure Boot: enforced",
        "boot loader that ran: systemd-boot 257.13",
        "  EFI/BOOT/BOOTX64.EFI: systemd-boot 26",
        "\n                generation  assessment  boots  PCRs  signed by\n",
        &format!("\n  next default  2           3 left      yes    7 11  {OURS}\n"),
        &format!("\n  booted        1           good        yes          {OURS}\n"),
        &format!("\n                arch.efi    good        yes          {OURS}\n"),
    ] {
        assert!(said.text.contains(line), "{line}\nin\n{}", said.text);
    }
}

#[test]
fn an_image_that_the_firmware_would_refuse_is_a_problem_where_signatures_are_enforced() {
    let signed = Signed::once();
    let world = signed.machine();
    world.enforce(false);
    world.done(&["boot", world.sealed("2", &signed.strangers).as_str()]);
    world.enforce(true);
    let (good, found) = status(&world);
    assert!(!good);
    assert_eq!(entry(&found, 2)["boots"], false);
    assert_eq!(entry(&found, 2)["signedBy"], json!([STRANGERS]));
    let problems = found["problems"].as_array().unwrap();
    let problem = problems[0].as_str().unwrap();
    assert!(
        problem.contains(": 2 will not boot: ") && problem.contains(STRANGERS),
        "{problem}"
    );
    world.enforce(false);
    let (good, found) = status(&world);
    assert!(good && entry(&found, 2)["boots"] == true, "{found:#}");
}

#[test]
fn an_unsigned_boot_loader_is_a_problem() {
    let signed = Signed::once();
    let world = signed.machine();
    let unsigned = fs::read(&inputs().boot["sid"]["x64"]).unwrap();
    fs::write(&files(&world, "EFI/systemd", "systemd-boot")[0], unsigned).unwrap();
    let (good, found) = status(&world);
    assert!(!good);
    let problem = found["problems"][0].as_str().unwrap();
    assert!(
        problem.contains("systemd-bootx64.efi will not start: the image is not signed"),
        "{problem}"
    );
}

#[test]
fn what_is_damaged_or_missing_is_found_by_name_and_content() {
    let signed = Signed::once();
    let world = signed.machine();
    let second = world.sealed("2", &signed.ours);
    world.done(&["boot", second.as_str()]);
    let kernel = &files(&world, "EFI/nixos", "linux")[0];
    fs::write(kernel, &signed.strangers).unwrap();
    let (good, found) = status(&world);
    assert!(!good && entry(&found, 2)["boots"] == true);
    assert!(
        entry(&found, 1)["why"][0]
            .as_str()
            .unwrap()
            .contains("is damaged")
    );
    fs::remove_file(kernel).unwrap();
    let (_, found) = status(&world);
    assert!(
        entry(&found, 1)["why"].to_string().contains("is missing"),
        "{found:#}"
    );
    let image = &files(&world, "EFI/Linux", "nixos-2-")[0];
    fs::write(image, &signed.strangers).unwrap();
    let (_, found) = status(&world);
    assert!(
        entry(&found, 2)["why"][0]
            .as_str()
            .unwrap()
            .contains("is damaged")
    );
    // Nobody relies on an entry that is bad.
    world.count(1, "+0-3");
    let problems = status(&world).1["problems"].to_string();
    assert!(!problems.contains("1 will not boot") && problems.contains("2 will not boot"));
}

#[test]
fn the_generation_of_the_system_must_have_an_entry() {
    let signed = Signed::once();
    let world = signed.machine();
    let second = world.generation("2");
    world.register("/nix/var/nix/profiles/system", 2, &second);
    let (good, found) = status(&world);
    assert!(!good);
    assert!(
        found["problems"]
            .to_string()
            .contains("no entry for generation 2")
    );
}

#[test]
fn what_the_firmware_remembers_decides_what_starts_next() {
    let signed = Signed::once();
    let world = signed.machine();
    world.done(&["boot", world.sealed("2", &signed.ours).as_str()]);
    world.variable("LoaderEntryDefault", &world.entry(1).id());
    let (good, found) = status(&world);
    assert!(good);
    // `preferred`, which systemd-boot knows from 260 on, goes before it.
    assert_eq!(entry(&found, 2)["next"], true);
    world.variable("LoaderEntryOneShot", &world.entry(1).id());
    let (good, found) = status(&world);
    assert!(good && entry(&found, 1)["next"] == true && entry(&found, 2)["next"] == false);
    assert!(
        found["notes"]
            .to_string()
            .contains("the system's generation is 2")
    );
    assert_eq!(found["machine"]["entryDefault"], world.entry(1).id());
    assert_eq!(found["machine"]["entryPreferred"], json!(null));
    fs::remove_file(
        world
            .at("/sys/firmware/efi/efivars")
            .join("LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"),
    )
    .unwrap();
    world.variable("LoaderEntryPreferred", &world.entry(1).id());
    let (good, found) = status(&world);
    assert!(good && entry(&found, 1)["next"] == true && entry(&found, 2)["next"] == false);
    assert_eq!(found["machine"]["entryPreferred"], world.entry(1).id());
}

/// The list by which shim says that it started the boot loader.
const SHIM: &str = "MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23";

/// Behind shim, its own list admits what the firmware's does not; shim itself the firmware starts.
#[test]
fn what_shim_starts_is_judged_by_its_list_as_well() {
    let signed = Signed::once();
    let world = signed.machine();
    world.enforce(false);
    world.done(&["boot", world.sealed("2", &signed.strangers).as_str()]);
    world.enforce(true);
    let list = fs::read(signed.folder.path().join("strangers/db.esl")).unwrap();
    world.raw_variable(SHIM, &list);
    let (good, found) = status(&world);
    assert!(good && entry(&found, 2)["boots"] == true, "{found:#}");
    assert!(found["notes"].to_string().contains("shim started"));
    // What shim starts is a boot loader, and without shim the one of another system.
    world.write("/boot/EFI/BOOT/grubx64.efi", &signed.strangers);
    let (good, found) = status(&world);
    let behind = |found: &Value| {
        let loaders = found["volumes"][0]["loaders"].as_array().unwrap();
        let mut behind = loaders.iter();
        let behind = behind.find(|one| one["path"] == "EFI/BOOT/grubx64.efi");
        behind.unwrap().clone()
    };
    assert!(good && behind(&found)["version"].is_string(), "{found:#}");
    let unsigned = fs::read(&inputs().boot["sid"]["x64"]).unwrap();
    world.write("/boot/EFI/BOOT/grubx64.efi", &unsigned);
    let (good, found) = status(&world);
    assert!(!good && found["problems"].to_string().contains("grubx64.efi"));
    fs::remove_file(world.at("/sys/firmware/efi/efivars").join(SHIM)).unwrap();
    let (_, found) = status(&world);
    assert!(behind(&found)["boots"] == false);
    assert!(!found["problems"].to_string().contains("grubx64.efi"));
    fs::remove_file(world.at("/boot/EFI/BOOT/grubx64.efi")).unwrap();
    world.raw_variable(SHIM, &list);
    fs::write(&files(&world, "EFI/BOOT", "BOOT")[0], &signed.strangers).unwrap();
    let (good, found) = status(&world);
    assert!(
        !good
            && found["problems"]
                .to_string()
                .contains("BOOTX64.EFI will not start")
    );
}

#[test]
fn without_variables_signatures_are_not_judged() {
    let signed = Signed::once();
    let world = World::with_loader(&signed.strangers);
    let (good, found) = status(&world);
    assert!(good, "{found:#}");
    assert_eq!(found["machine"]["secureBoot"], "unknown");
    assert!(found["notes"].to_string().contains("they are not judged"));
}
