//! `touchstone uki inspect` says what ukify, pefile and LIEF say, and PCR 11 of each profile is that of systemd-measure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use touchstone_harness::nix::output;
use touchstone_harness::{Systemd, systemds};

use crate::support::Work;

/// The program that asks pefile and LIEF.
const PEERS: &str = include_str!("inspect/peers.py");

fn inspect(work: &Work, file: &str) -> Value {
    work.json(["uki", "inspect", "--json", file])
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

/// A UKI with three profiles, `multi.efi`, by this release of ukify.
fn with_profiles(systemd: &Systemd) -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    std::fs::copy(&work.inputs.addon_stub["trixie"]["x64"], work.path("addon")).unwrap();
    let build = |arguments: &[&str]| {
        let arguments = [&["build", "--os-release=@os-release"][..], arguments].concat();
        work.systemd(systemd, "ukify", &words(&arguments))
    };
    let profile = |text: &str, more: &[&str], output: &str| {
        let text = format!("--profile={text}");
        let output = format!("--output={output}");
        let own = ["build", "--stub=addon", "--os-release=", &text, &output];
        work.systemd(systemd, "ukify", &words(&[&own, more].concat()));
    };
    profile(
        "ID=rescue\nTITLE=Rescue me",
        &["--cmdline=single"],
        "rescue.efi",
    );
    profile(
        "ID=factory",
        &["--cmdline=factory", "--uname=7"],
        "factory.efi",
    );
    build(&[
        "--stub=stub",
        "--linux=vmlinuz",
        "--initrd=initrd",
        "--cmdline=quiet base",
        "--profile=ID=main\nTITLE=\"Main\"",
        "--join-profile=rescue.efi",
        "--join-profile=factory.efi",
        "--output=multi.efi",
    ]);
    work
}

/// Name → size, digest and text, of the sections that `wanted` takes; of two with one name, the last.
fn by_name(image: &Value, wanted: impl Fn(&Value) -> bool) -> BTreeMap<String, Value> {
    let sections = image["sections"].as_array().unwrap().iter();
    let section = |section: &Value| {
        let name = section["name"].as_str().unwrap().to_owned();
        (name, section.clone())
    };
    sections
        .filter(|section| wanted(section))
        .map(section)
        .collect()
}

/// Everything that ukify says of these sections, we say too; and we know of no others.
fn assert_as_ukify(what: &str, ours: &BTreeMap<String, Value>, theirs: &Value) {
    let theirs = theirs.as_object().unwrap();
    let known: Vec<&String> = theirs.keys().filter(|name| *name != "_profiles").collect();
    assert_eq!(
        ours.len(),
        known.len(),
        "{what}: {:?}, {known:?}",
        ours.keys()
    );
    for name in known {
        let (ours, theirs) = (&ours[name], &theirs[name]);
        assert_eq!(ours["size"], theirs["size"], "{what}: {name}");
        assert_eq!(
            ours["digests"]["sha256"], theirs["sha256"],
            "{what}: {name}"
        );
        if let Some(text) = theirs["text"].as_str() {
            let text = text.trim_end_matches('\0');
            assert_eq!(
                ours["text"].as_str().unwrap_or_default(),
                text,
                "{what}: {name}"
            );
        }
    }
}

#[test]
fn profiles_are_what_ukify_and_systemd_measure_say_they_are() {
    for systemd in systemds(&touchstone_harness::inputs()) {
        let work = with_profiles(&systemd);
        for file in ["multi.efi", "rescue.efi", "stub"] {
            assert_sections_as_ukify(&work, &systemd, file);
        }
        assert_pcr_11_as_systemd_measure(&work, &systemd);
    }
}

/// Sections, their sizes, digests and texts.
fn assert_sections_as_ukify(work: &Work, systemd: &Systemd, file: &str) {
    let image = inspect(work, file);
    let ask = words(&["inspect", file, "--all", "--json=short"]);
    let theirs: Value = serde_json::from_str(&work.systemd(systemd, "ukify", &ask)).unwrap();
    let what = format!("{file}, ukify {}", systemd.release);
    let Some(profiles) = theirs["_profiles"].as_array() else {
        // ukify 257 knows no profiles: the last section of a name is what it shows.
        return assert_as_ukify(&what, &by_name(&image, |_| true), &theirs);
    };
    let base = by_name(&image, |section| section["profile"].is_null());
    assert_as_ukify(&what, &base, &theirs);
    let expected = match file {
        "multi.efi" => 3,
        "rescue.efi" => 1,
        _ => 0,
    };
    assert_eq!(profiles.len(), expected, "{what}");
    for (number, theirs) in profiles.iter().enumerate() {
        let ours = by_name(&image, |section| section["profile"] == number);
        assert_as_ukify(&format!("{what}, profile {number}"), &ours, theirs);
    }
}

/// What pefile and LIEF say of these files, in one visit.
fn peers(work: &Work, arguments: &[PathBuf]) -> Value {
    work.write("peers.py", PEERS);
    let mut visit = work.inside(work.inputs.trixie().visit());
    let folders = arguments.iter().filter_map(|file| file.parent());
    for folder in folders.filter(|folder| folder.is_absolute()) {
        visit = visit.show(folder);
    }
    if let Some(lief) = &work.inputs.lief {
        visit = visit.show(lief);
    }
    let mut command = visit.command("python3").unwrap();
    command.arg("peers.py").args(arguments);
    match &work.inputs.lief {
        Some(lief) => drop(command.env("PYTHONPATH", lief)),
        None => eprintln!("note: there is no LIEF: only pefile is compared"),
    }
    serde_json::from_str(&output(command).unwrap()).unwrap_or(Value::Null)
}

fn machine(number: u64) -> &'static str {
    match number {
        0x8664 => "x86-64",
        0xaa64 => "aarch64",
        0x14c => "ia32",
        0x5064 => "riscv64",
        0x6264 => "loongarch64",
        _ => "another",
    }
}

/// Every field of `theirs` is in our answer, with the same value.
fn assert_as_peer(what: &str, ours: &Value, theirs: &Value) {
    for (field, value) in theirs.as_object().unwrap() {
        match field.as_str() {
            "sections" => {}
            "machine" => {
                let machine = machine(value.as_u64().unwrap());
                assert_eq!(ours["header"]["machine"], machine, "{what}");
            }
            // LIEF does not pad an image to 8 bytes, as its signer will.
            "authenticodeSha256" if !ours["size"].as_u64().unwrap().is_multiple_of(8) => {}
            "authenticodeSha256" => assert_eq!(ours[field], *value, "{what}"),
            field => assert_eq!(ours["header"][field], *value, "{what}: {field}"),
        }
    }
    let sections = |image: &Value| image["sections"].as_array().unwrap().clone();
    let (of_us, of_them) = (sections(ours), sections(theirs));
    assert_eq!(of_us.len(), of_them.len(), "{what}");
    for (ours, theirs) in of_us.iter().zip(&of_them) {
        let what = format!("{what}, section {}", ours["name"]);
        for field in ["size", "address", "rawSize", "offset", "characteristics"] {
            assert_eq!(ours[field], theirs[field], "{what}: {field}");
        }
        assert_eq!(ours["digests"]["sha256"], theirs["sha256"], "{what}");
        // LIEF looks up long names (`/4`) in the string table, pefile does not.
        let name = &theirs["name"];
        assert!(
            *name == ours["name"] || *name == ours["longName"],
            "{what}: {name}"
        );
    }
}

#[test]
fn headers_and_sections_are_those_of_pefile_and_lief() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.keys("keys");
    let build = [
        "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--output", "uki.efi",
    ];
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    work.done([&build[..], &key].concat());
    let built = PathBuf::from("uki.efi");
    let files: Vec<PathBuf> = work
        .inputs
        .efi
        .values()
        .flatten()
        .cloned()
        .chain([built])
        .collect();
    let theirs = peers(&work, &files);
    let mut refused = Vec::new();
    for file in &files {
        let name = file.to_str().unwrap();
        let (pefile, lief) = (&theirs[name]["pefile"], &theirs[name]["lief"]);
        let output = work.touchstone(["uki", "inspect", "--json", name]);
        if output.status.code() == Some(1) {
            assert_eq!(*lief, Value::Null, "{name}");
            refused.push(name);
            continue;
        }
        let ours = serde_json::from_slice(&output.stdout).unwrap();
        assert_as_peer(&format!("{name}, pefile"), &ours, pefile);
        if work.inputs.lief.is_some() {
            assert_as_peer(&format!("{name}, LIEF"), &ours, lief);
        }
    }
    // See `digests.rs`.
    assert!(refused.len() <= 1, "{refused:?}");
}

const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// PCR 11 by bank, as systemd-measure calculates it for these sections (place in the table → name).
fn calculated(work: &Work, systemd: &Systemd, sections: &BTreeMap<String, usize>) -> Value {
    let measured = [
        "linux", "osrel", "cmdline", "initrd", "ucode", "splash", "dtb", "uname", "sbat",
        "pcrpkey", "profile",
    ];
    let mut arguments = words(&["calculate", "--json=short", "--phase="]);
    arguments.extend(BANKS.map(|bank| format!("--bank={bank}")));
    for name in measured {
        if let Some(index) = sections.get(&format!(".{name}")) {
            arguments.push(format!("--{name}=section-{index}"));
        }
    }
    let printed = work.systemd(systemd, systemd.measure(), &arguments);
    let answer: BTreeMap<String, Vec<Value>> = serde_json::from_str(&printed).unwrap();
    let banks = answer.into_iter();
    let value = |(bank, values): (String, Vec<Value>)| (bank, values[0]["hash"].clone());
    json!(banks.map(value).collect::<BTreeMap<_, _>>())
}

fn assert_pcr_11_as_systemd_measure(work: &Work, systemd: &Systemd) {
    peers(work, &["extract", "multi.efi"].map(PathBuf::from));
    let banks = BANKS.iter().flat_map(|bank| ["--bank", bank]);
    let inspect = ["uki", "inspect", "--json", "multi.efi"];
    let image = work.json(inspect.into_iter().chain(banks));
    let profiles = image["profiles"].as_array().unwrap();
    let named: Vec<Value> = profiles
        .iter()
        .map(|profile| json!([profile["id"], profile["title"]]))
        .collect();
    assert_eq!(
        json!(named),
        json!([["main", "Main"], ["rescue", "Rescue me"], ["factory", null]])
    );
    for (number, profile) in profiles.iter().enumerate() {
        // The base, then what the profile has of its own.
        let mut sections = BTreeMap::new();
        for of in [Value::Null, json!(number)] {
            for (index, section) in image["sections"].as_array().unwrap().iter().enumerate() {
                if section["profile"] == of {
                    sections.insert(section["name"].as_str().unwrap().to_owned(), index);
                }
            }
        }
        let theirs = calculated(work, systemd, &sections);
        assert_eq!(
            profile["pcr11"], theirs,
            "{}, profile {number}",
            systemd.release
        );
        let measured = profile["measured"].as_array().unwrap();
        assert_eq!(measured.last().unwrap()["section"], ".profile");
    }
}

/// A UKI without profiles: the same value as `measure uki`, which real boots confirmed.
#[test]
fn the_one_profile_of_a_plain_uki_is_what_measure_uki_says() {
    let work = Work::with_kernel("amd64");
    for suite in work.stub_suites() {
        work.stub(&suite, "x64", "stub");
        let sbat = "sbat,1,S,sbat,1,h\nu,1,U,u,1,h\n";
        let build = [
            "build", "--stub", "stub", "--linux", "vmlinuz", "--initrd", "initrd",
        ];
        let more = ["--cmdline", "quiet", "--sbat", sbat, "--output", "uki.efi"];
        work.done([&["uki"], &build[..], &more].concat());
        let measured = work.json(["measure", "uki", "--json", "uki.efi", "--phase="]);
        let image = inspect(&work, "uki.efi");
        let profiles = image["profiles"].as_array().unwrap();
        assert_eq!(profiles.len(), 1);
        let ours = &profiles[0]["pcr11"]["sha256"];
        assert_eq!(*ours, measured["pcrs"]["11"]["sha256"][""], "{suite}");
    }
}

#[test]
fn a_section_that_the_machine_chooses_leaves_pcr_11_unknown() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    let build = [
        "build",
        "--stub=stub",
        "--linux=vmlinuz",
        "--os-release=",
        "--section=.dtbauto:@board.dtb",
        "--output=choice.efi",
    ];
    work.systemd(&systemds(&work.inputs)[0], "ukify", &words(&build));
    let profile = inspect(&work, "choice.efi")["profiles"][0].clone();
    assert_eq!(profile["pcr11"], Value::Null);
    let problem = profile["problem"].as_str().unwrap();
    assert!(problem.contains(".dtbauto"), "{problem}");
}

#[test]
fn addons_and_other_images_are_inspected_too_and_what_is_no_image_is_refused() {
    let work = Work::new();
    std::fs::copy(
        &work.inputs.addon_stub["trixie"]["aa64"],
        work.path("addon"),
    )
    .unwrap();
    let addon = inspect(&work, "addon");
    assert_eq!(addon["program"]["name"], "systemd-addon");
    assert_eq!(addon["profiles"], json!([]));
    let shim = work.inputs.efi["trixie"].iter();
    let shim = shim
        .clone()
        .find(|file| file.ends_with("shimx64.efi.signed"))
        .unwrap();
    let shim = inspect(&work, shim.to_str().unwrap());
    assert_eq!(shim["program"], Value::Null);
    assert_eq!(shim["sbat"][1]["component"], "shim");
    let signers = shim["signatures"].as_array().unwrap().iter();
    assert!(signers.clone().count() > 0);
    for signer in signers {
        assert!(
            signer["subject"].as_str().unwrap().contains("Microsoft"),
            "{signer}"
        );
        assert_eq!(signer["consistent"], true, "{signer}");
    }
    let refused = work.touchstone([
        "uki",
        "inspect",
        Path::new("/proc/version").to_str().unwrap(),
    ]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("[input.not-pe]"), "{said}");
}
