//! docs/nixos.md and docs/migration.md: their Nix evaluates, offline with a stand-in for nixpkgs; the commands and options that they
//! name exist; and keys of sbctl are read as they say.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use crate::artifacts::Generation;
use crate::flake::Flake;
use crate::support::{TOUCHSTONE, Work, alias};

/// The pages, and those of the examples.
const PAGES: [&str; 6] = [
    "docs/nixos.md",
    "docs/agent.md",
    "docs/migration.md",
    "examples/laptop/README.md",
    "examples/fleet/README.md",
    "examples/appliance/README.md",
];

pub fn checkout(file: &str) -> String {
    let file = format!("{}/../../../{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The blocks of a page in one language, without what indents them.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix(&fence) else {
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .take_while(|line| line.trim() != "```")
            .map(|line| line.strip_prefix(indent).unwrap_or(line))
            .collect();
        blocks.push(block.join("\n") + "\n");
    }
    blocks
}

/// A folder with the files that the pages' Nix names, and a machine that has a name.
fn folder(flake: &Flake) -> std::path::PathBuf {
    let folder = flake.work.path("pages");
    fs::create_dir_all(folder.join("keys")).unwrap();
    fs::create_dir_all(folder.join("signatures")).unwrap();
    for name in [
        "keys/PK.esl",
        "keys/KEK.esl",
        "keys/db.esl",
        "keys/db.pem",
        "db.pem",
        "logo.bmp",
    ] {
        fs::write(folder.join(name), name).unwrap();
    }
    let key = format!("machine-1:{}=\n", "A".repeat(43));
    fs::write(folder.join("public-key-file"), key).unwrap();
    let configuration = "{ networking.hostName = \"machine\"; }\n";
    fs::write(folder.join("configuration.nix"), configuration).unwrap();
    folder
}

/// Evaluates what the Nix of a page makes: the paths of derivations by attribute.
fn evaluated(page: &str) -> (Vec<Value>, Vec<Value>) {
    let (whole, parts): (Vec<String>, Vec<String>) = blocks(&checkout(page), "nix")
        .into_iter()
        .partition(|block| block.contains("outputs ="));
    let flake = Flake::new();
    let folder = folder(&flake);
    let made = "m: { toplevel = m.config.system.build.toplevel.drvPath; artifacts = if m.config.boot.touchstone.enable && m.config.boot.touchstone.uki.enable then m.config.system.build.bootArtifacts.drvPath else null; }";

    let mut wholes = Vec::new();
    for block in whole {
        fs::write(folder.join("flake.nix"), block).unwrap();
        let answer = flake.evaluate_with(
            &folder,
            &[
                "--json",
                "--apply",
                &format!("builtins.mapAttrs (_: {made})"),
            ],
            "nixosConfigurations",
        );
        wholes.push(serde_json::from_str(&answer).unwrap());
        flake.check(&folder);
    }

    let modules: String = (0..parts.len())
        .map(|number| {
            let path = format!("part-{number}.nix");
            fs::write(folder.join(&path), &parts[number]).unwrap();
            format!("./{path} ")
        })
        .collect();
    let flake_of_parts = format!(
        "{{ inputs.touchstone.inputs.nixpkgs.follows = \"nixpkgs\"; outputs = {{ nixpkgs, touchstone, ... }}: {{ parts = map (part: ({made}) (nixpkgs.lib.nixosSystem {{ modules = \
         [ touchstone.nixosModules.default ./configuration.nix part ]; }})) [ {modules}]; }}; }}"
    );
    fs::write(folder.join("flake.nix"), flake_of_parts).unwrap();
    let parts = flake.json(&folder, "parts");
    (wholes, parts.as_array().unwrap().clone())
}

#[test]
fn the_nix_of_the_page_about_nixos_evaluates() {
    let (whole, parts) = evaluated("docs/nixos.md");
    assert_eq!(whole.len(), 2, "{whole:?}");
    for machine in whole {
        let artifacts = machine["machine"]["artifacts"].as_str().unwrap();
        assert!(
            artifacts.ends_with("-machine-boot-artifacts.drv"),
            "{artifacts}"
        );
    }
    assert_eq!(parts.len(), 12, "{parts:?}");
    let sealed = |part: &&Value| part["toplevel"].as_str().unwrap().ends_with("-sealed.drv");
    assert_eq!(parts.iter().filter(sealed).count(), 3);
    let without = parts.iter().filter(|part| part["artifacts"].is_null());
    assert_eq!(without.count(), 1, "Bootspec v2 alone makes no artifacts");
}

#[test]
fn the_nix_of_the_page_about_migration_evaluates() {
    let (whole, parts) = evaluated("docs/migration.md");
    assert_eq!((whole.len(), parts.len()), (0, 3));
    assert!(
        parts.iter().all(|part| part["artifacts"].is_string()),
        "{parts:?}"
    );
}

#[test]
fn the_nix_of_the_page_about_the_agent_evaluates() {
    let (whole, parts) = evaluated("docs/agent.md");
    assert_eq!((whole.len(), parts.len()), (0, 3));
    let made: Vec<bool> = parts
        .iter()
        .map(|part| part["artifacts"].is_string())
        .collect();
    assert_eq!(
        made,
        [false, true, true],
        "the builder makes none of its own: {parts:?}"
    );
}

/// What stands in backticks in a page, and the lines of its commands.
fn code(page: &str) -> Vec<String> {
    let mut code: Vec<String> = Vec::new();
    for language in ["sh", ""] {
        code.extend(blocks(page, language).iter().flat_map(|block| {
            block
                .lines()
                .map(|line| line.trim().to_owned())
                .collect::<Vec<_>>()
        }));
    }
    let prose: Vec<&str> = page.split("```").step_by(2).collect();
    code.extend(
        prose
            .iter()
            .flat_map(|text| text.split('`').skip(1).step_by(2))
            .map(str::to_owned),
    );
    code
}

#[test]
fn every_command_that_the_pages_name_exists_with_its_options() {
    let work = Work::new();
    let mut asked = BTreeSet::new();
    for command in PAGES.iter().flat_map(|page| code(&checkout(page))) {
        let Some(words) = command.strip_prefix("touchstone ") else {
            continue;
        };
        let is_word = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
        let words: Vec<&str> = words.split_whitespace().collect();
        let depth = if words.starts_with(&["agent", "log"]) {
            3
        } else {
            2
        };
        let subcommand = words.iter().copied().take(depth);
        let subcommand: Vec<&str> = subcommand.take_while(is_word).collect();
        let help = work.done(subcommand.iter().copied().chain(["--help"]));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: no {option}");
        }
        asked.insert(subcommand.join(" "));
    }
    assert!(asked.len() >= 15, "{asked:?}");
}

#[test]
fn every_option_of_touchstone_that_the_pages_name_exists() {
    let reference = checkout("docs/options.md");
    let known: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    assert!(known.len() > 20, "{known:?}");
    let mut asked = 0;
    for name in PAGES.iter().flat_map(|page| code(&checkout(page))) {
        let name = name.split([' ', '=']).next().unwrap();
        if name.starts_with("boot.touchstone.") {
            let is_known = known
                .iter()
                .any(|known| *known == name || known.starts_with(&format!("{name}.")));
            assert!(is_known, "{name}");
            asked += 1;
        }
    }
    assert!(asked > 10, "{asked}");
}

/// Words without what is between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the modules say where they refuse a configuration: the texts, and in them the places of values.
fn messages() -> Vec<String> {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../nixos-modules");
    let mut messages = Vec::new();
    for module in fs::read_dir(modules).unwrap() {
        let text = fs::read_to_string(module.unwrap().path()).unwrap();
        for (begin, end) in [
            ("message = ''", "'';"),
            ("throw ''", "'')"),
            ("fact = \"", "\";"),
        ] {
            let found = text.split(begin).skip(1);
            messages.extend(found.map(|rest| words(rest.split(end).next().unwrap())));
        }
    }
    messages
}

#[test]
fn every_message_of_the_modules_is_explained_and_no_other() {
    let page = checkout("docs/nixos.md");
    let (_, table) = page.split_once("| the message says |").unwrap();
    let explained: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(phrase, _)| phrase)
        .collect();
    let messages = messages();
    let is_explained = |message: &&String| explained.iter().any(|phrase| message.contains(phrase));
    let (_, silent): (Vec<&String>, Vec<&String>) = messages.iter().partition(is_explained);
    assert!(
        silent.is_empty(),
        "docs/nixos.md explains nothing of {silent:#?}"
    );
    for phrase in &explained {
        let mut said = messages.iter().filter(|message| message.contains(phrase));
        assert!(said.next().is_some(), "no module says: {phrase}");
    }
    assert!(messages.len() >= 35, "{}", messages.len());
}

#[test]
fn the_commands_by_which_images_are_copied_do_what_the_page_says() {
    let generation = Generation::new();
    generation.make("result", json!({}));
    let work = &generation.work;
    fs::create_dir(work.path("boot")).unwrap();
    let page = checkout("docs/nixos.md");
    let (_, by_hand) = page.split_once("\n## By hand\n").unwrap();
    let commands = blocks(by_hand, "sh").concat();
    let here = |line: &&str| !line.starts_with("nix");
    let commands: String = commands
        .lines()
        .filter(here)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(commands.lines().count(), 6, "{commands}");
    let visit = work.inside(work.inputs.trixie().visit()).show(TOUCHSTONE);
    let mut shell = visit
        .bind_at(work.path("boot"), "/boot")
        .bind_at(work.path("nix"), "/nix")
        .command("bash")
        .unwrap();
    shell.args(["-euxc", &[alias(), commands].concat()]);
    output(shell).unwrap();
    work.done([
        "pe",
        "verify",
        "--db",
        "keys/db.esl",
        "boot/EFI/Linux/touchstone-42.efi",
    ]);
    assert_eq!(
        fs::read_dir(work.path("boot/EFI/Linux")).unwrap().count(),
        1
    );
}

#[test]
fn keys_of_sbctl_are_read_as_the_page_says() {
    let page = checkout("docs/migration.md");
    let commands = blocks(&page, "sh")
        .into_iter()
        .find(|block| block.contains("--owner"))
        .unwrap();
    let work = Work::new();
    let make: String = ["PK", "KEK", "db"]
        .map(|name| {
            format!(
                "mkdir -p sbctl/keys/{name}\nopenssl req -quiet -x509 -newkey rsa:4096 -nodes -subj '/CN=My {name}' -days 1825 \
                 -keyout sbctl/keys/{name}/{name}.key -out sbctl/keys/{name}/{name}.pem\n"
            )
        })
        .concat();
    work.write("sbctl-GUID", "8ec4b2c3-dc7f-4362-b9a3-0cc17e5a34cd");
    let folder = work.path("sbctl").display().to_string();
    let page = format!(
        "```sh\n{make}cp sbctl-GUID sbctl/GUID\n{}```\n",
        commands.replace("/var/lib/sbctl", &folder)
    );
    work.follow(&page);
    let shown = work.done(["keys", "inspect", "PK.esl", "KEK.esl", "db.esl", "db.auth"]);
    assert!(
        shown.contains("8ec4b2c3-dc7f-4362-b9a3-0cc17e5a34cd"),
        "{shown}"
    );
    std::fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader.efi")).unwrap();
    let key = format!("{folder}/keys/db/db.key");
    let certificate = format!("{folder}/keys/db/db.pem");
    work.done([
        "pe",
        "sign",
        "--key",
        &key,
        "--certificate",
        &certificate,
        "--output",
        "signed.efi",
        "loader.efi",
    ]);
    work.done(["pe", "verify", "--db", "db.esl", "signed.efi"]);
}
