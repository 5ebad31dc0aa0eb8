//! `touchstone boot space`, beside file systems that mkfs.vfat makes and mtools fills.

use std::fs::{self, File};

use serde_json::{Value, json};

use crate::support::{Work, noise};

const MIB: u64 = 1 << 20;

/// A folder of boot artifacts of which only the sizes matter: a UKI, and the loader where it has one.
fn artifacts(work: &Work, folder: &str, uki: (&str, u64), loader: Option<u64>) {
    fs::create_dir(work.path(folder)).unwrap();
    let image = |path: &str, digest: &str, size: u64| {
        let file = File::create(work.path(folder).join(path)).unwrap();
        file.set_len(size).unwrap();
        json!({ "path": path, "sha256": digest, "size": size, "authenticodeSha256": digest })
    };
    let mut touchstone = json!({ "uki": image("uki.efi", &uki.0.repeat(64), uki.1) });
    if let Some(size) = loader {
        touchstone["loader"] = image("loader.efi", &"0".repeat(64), size);
    }
    let document = json!({ "org.touchstone.v1": touchstone });
    work.write(&format!("{folder}/boot.json"), document.to_string());
}

fn space(work: &Work, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = work.touchstone([&["boot", "space", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        answer.unwrap_or_else(|error| panic!("{error}: {said}")),
    )
}

fn debian(work: &Work, program: &str, arguments: &[&str]) -> String {
    let output = work.debian(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a file system on so many bytes.
fn format(work: &Work, size: u64, arguments: &[&str]) {
    let image = File::create(work.path("esp")).unwrap();
    image.set_len(size).unwrap();
    debian(
        work,
        "mkfs.vfat",
        &[&["-F", "32", "esp"], arguments].concat(),
    );
}

/// What fsck.fat counts: bytes in clusters, and bytes a cluster.
fn counted(work: &Work) -> (u64, u64) {
    let said = debian(work, "fsck.fat", &["-n", "-v", "esp"]);
    let number = |before: &str| -> u64 {
        let line = said.lines().find(|line| line.contains(before));
        let line = line.unwrap_or_else(|| panic!("no {before} in {said}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let cluster = number("bytes per cluster");
    (number("data clusters") * cluster, cluster)
}

#[test]
fn room_and_clusters_are_those_of_the_file_system_that_mkfs_makes() {
    let work = Work::new();
    artifacts(&work, "one", ("1", MIB), None);
    let ask = |size: u64, more: &[&str]| {
        let size = size.to_string();
        let (_, verdict) = space(&work, &[&["--size", &size, "one"], more].concat());
        let number = |field: &str| verdict[field].as_u64().unwrap();
        (number("room"), number("clusterSize"))
    };
    for size in [
        64, 100, 256, 259, 260, 261, 512, 1000, 1024, 2047, 4096, 8191, 8192, 20_000, 40_000,
    ] {
        for odd in [0, 513, 1_000_001] {
            let size = size * MIB + odd;
            format(&work, size, &[]);
            assert_eq!(ask(size, &[]), counted(&work), "{size} bytes");
        }
    }
    for (size, sectors, cluster) in [(512, "1", "512"), (1024, "16", "8192"), (600, "2", "1024")] {
        format(&work, size * MIB, &["-s", sectors]);
        assert_eq!(
            ask(size * MIB, &["--cluster-size", cluster]),
            counted(&work),
            "{size} MiB"
        );
    }
    format(&work, 1024 * MIB, &["-S", "4096", "-s", "1"]);
    let options = ["--sector-size", "4K", "--cluster-size", "4K"];
    assert_eq!(ask(1024 * MIB, &options), counted(&work));
}

/// Bytes free, as mtools counts them.
fn free(work: &Work) -> u64 {
    let said = debian(work, "mdir", &["-i", "esp", "::"]);
    let line = said.lines().rev().find(|line| line.contains("bytes free"));
    let digits: String = line.unwrap().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn what_is_counted_is_what_files_with_the_longest_names_take() {
    let work = Work::new();
    let (one, other) = (20 * MIB + 1, 17 * MIB + 4095);
    artifacts(&work, "one", ("1", one), Some(130_001));
    artifacts(&work, "other", ("2", other), Some(130_001));
    let (status, verdict) = space(
        &work,
        &["--size", "512M", "--generations", "9", "one", "other"],
    );
    assert_eq!(status, Some(0));
    assert_eq!(verdict["generations"], 10);
    format(&work, 512 * MIB, &[]);
    let empty = free(&work);
    work.write("files", noise(9, usize::try_from(one).unwrap()));
    let file = |name: &str, size: u64| {
        work.write(name, noise(1, usize::try_from(size).unwrap()));
    };
    let folders = [
        "EFI",
        "EFI/BOOT",
        "EFI/systemd",
        "EFI/nixos",
        "EFI/Linux",
        "loader",
        "loader/entries",
        "loader/keys",
    ];
    for folder in folders {
        debian(&work, "mmd", &["-i", "esp", &format!("::{folder}")]);
    }
    for number in 0..10 {
        let name = format!("{number}{}.efi", "n".repeat(250));
        file(&name, if number == 1 { other } else { one });
        debian(&work, "mcopy", &["-i", "esp", &name, "::EFI/Linux/"]);
    }
    for name in [
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/systemd/systemd-bootx64.efi",
        "EFI/BOOT/replacement",
    ] {
        file("loader", 130_001);
        debian(
            &work,
            "mcopy",
            &["-i", "esp", "loader", &format!("::{name}")],
        );
    }
    for name in [
        "loader.conf",
        "entries.srel",
        "random-seed",
        "boot-secret-mixin",
    ] {
        file(name, 31);
        debian(&work, "mcopy", &["-i", "esp", name, "::loader/"]);
    }
    let taken = empty - free(&work);
    let needed = verdict["needed"].as_u64().unwrap() - verdict["reserve"].as_u64().unwrap();
    // Not too little; and too much only by the folder of the root, which mkfs took, and entries that nobody uses.
    assert!(
        taken <= needed && needed - taken <= 8 * 4096,
        "{taken} of {needed}"
    );
}

#[test]
fn generations_that_do_not_fit_are_refused_with_numbers() {
    let work = Work::new();
    artifacts(&work, "one", ("1", 60 * MIB), Some(130_000));
    let (status, verdict) = space(&work, &["--size", "512M", "--generations", "6", "one"]);
    assert_eq!((status, &verdict["fits"]), (Some(0), &json!(true)));
    let (status, verdict) = space(&work, &["--size", "512M", "--generations", "8", "one"]);
    assert_eq!((status, &verdict["fits"]), (Some(3), &json!(false)));
    assert_eq!(verdict["more"], 0);
    work.write("request.json", r#"{"operation":"boot.space","artifacts":["one"],"generations":8,"size":"512M","required":true}"#);
    let output = work.touchstone(["run", "request.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for fact in [
        "[esp.full]",
        "are needed for 9 generations",
        "are missing",
        "let specialisations share",
    ] {
        assert!(said.contains(fact), "{fact}: {said}");
    }
}

#[test]
fn how_many_more_fit_is_exact() {
    let work = Work::new();
    artifacts(&work, "one", ("1", 60 * MIB), None);
    let more = |kept: u64| {
        let (status, verdict) = space(
            &work,
            &["--size", "1G", "--generations", &kept.to_string(), "one"],
        );
        (status, verdict["more"].as_u64().unwrap())
    };
    let (_, first) = more(1);
    assert_eq!(more(1 + first), (Some(0), 0));
    assert_eq!(more(2 + first).0, Some(3));
}

#[test]
fn files_of_the_same_content_are_there_once() {
    let work = Work::new();
    artifacts(&work, "one", ("1", 10 * MIB), None);
    artifacts(&work, "again", ("1", 10 * MIB), None);
    let (_, verdict) = space(&work, &["--size", "512M", "one", "again"]);
    assert_eq!(verdict["each"][1]["new"], 0);
    assert_eq!(verdict["each"][1]["size"], verdict["each"][0]["size"]);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let work = Work::new();
    artifacts(&work, "one", ("1", MIB), None);
    for (arguments, code) in [
        (&["--size", "10M", "one"][..], "[request.refused]"),
        (
            &["--size", "512M", "--cluster-size", "3000", "one"],
            "[request.refused]",
        ),
        (
            &["--size", "512M", "--sector-size", "513", "one"],
            "[request.refused]",
        ),
        (
            &["--size", "512M", "--generations", "0", "one"],
            "[request.refused]",
        ),
        (&["--size", "512M", "missing"], "[input.unreadable]"),
    ] {
        let output = work.touchstone([&["boot", "space"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(code), "{arguments:?}: {said}");
    }
    File::create(work.path("one/uki.efi"))
        .unwrap()
        .set_len(7)
        .unwrap();
    let output = work.touchstone(["boot", "space", "--size", "512M", "one"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("it has 7 bytes, named are 1048576"), "{said}");
}
