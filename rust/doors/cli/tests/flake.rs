//! The flake, evaluated offline with a stand-in for nixpkgs; and the README's example, as it is printed there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use touchstone_agent::Derivation;
use touchstone_agent::derivation::Recipe;
use touchstone_harness::nix::output;
use touchstone_harness::{Nix, stand_in};

use crate::support::Work;

/// The flake and its one input, each in a folder of its own.
pub struct Flake {
    pub work: Work,
    has_plugin: bool,
    touchstone: PathBuf,
    nixpkgs: PathBuf,
}

impl Flake {
    pub fn new() -> Flake {
        Flake::by(false)
    }

    /// Evaluated by the Nix that has loaded the plugin.
    pub fn with_plugin() -> Flake {
        Flake::by(true)
    }

    fn by(has_plugin: bool) -> Flake {
        let work = Work::new();
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        Flake {
            touchstone: stand_in::sources(&checkout, work.folder()).unwrap(),
            nixpkgs: stand_in::nixpkgs(&checkout, work.folder()).unwrap(),
            has_plugin,
            work,
        }
    }

    /// Runs `nix` with both inputs overridden where they are named; the answer is what it printed on either stream.
    fn nix(&self, arguments: &[&str], inputs: &[(&str, &Path)], flake: &str) -> String {
        let make = if self.has_plugin {
            Nix::with_plugin
        } else {
            Nix::new
        };
        let nix = make(&self.work.inputs, self.work.path("store")).unwrap();
        let mut command = nix.bind(self.work.folder()).command("nix").unwrap();
        command.args(arguments);
        command.args(["--offline", "--no-write-lock-file"]);
        for (name, path) in inputs {
            command.args([
                "--override-input",
                name,
                &format!("path:{}", path.display()),
            ]);
        }
        output({
            command.arg(format!("path:{flake}"));
            command
        })
        .unwrap()
    }

    fn of_touchstone(&self, arguments: &[&str]) -> String {
        let flake = self.touchstone.display().to_string();
        self.nix(arguments, &[("nixpkgs", &self.nixpkgs)], &flake)
    }
}

#[test]
fn the_flake_passes_its_check_and_shows_what_it_has() {
    let flake = Flake::new();
    flake.of_touchstone(&["flake", "check", "--no-build", "--all-systems"]);
    let shown = flake.of_touchstone(&["flake", "show", "--json", "--all-systems"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for system in ["x86_64-linux", "aarch64-linux"] {
        for (output, names) in [
            (
                "packages",
                vec![
                    "default",
                    "libtouchstone",
                    "probe",
                    "touchstone",
                    "touchstone-full",
                    "touchstone-nix",
                    "touchstone-stage1",
                ],
            ),
            ("checks", checks_of(system)),
            ("apps", vec!["demo"]),
        ] {
            let found: Vec<&String> = shown[output][system].as_object().unwrap().keys().collect();
            assert_eq!(found, names, "{output} for {system}");
        }
    }
    assert_eq!(shown["overlays"]["default"]["type"], "nixpkgs-overlay");
}

fn checks_of(system: &str) -> Vec<&'static str> {
    let mut checks = vec![
        "artifacts-verify",
        "artifacts-verify-sealed",
        "bootspec-valid",
        "esp-fits",
        "evaluation",
        "generation1",
        "generation2",
        "generation2-sealed",
        "no-interpreters",
        "no-secrets-in-store",
        "pcrs-unchanged",
    ];
    if system == "x86_64-linux" {
        checks.push("nixos-test");
        checks.sort_unstable();
    }
    checks
}

#[test]
fn the_full_package_has_every_feature_and_the_static_one_none() {
    let flake = Flake::new();
    let checkout = flake.touchstone.display().to_string();
    let features = |package: &str| {
        let attribute = format!("{checkout}#packages.x86_64-linux.{package}");
        let asked = ["eval", "--json", "--apply", "p: p.buildFeatures or [ ]"];
        let inputs = [("nixpkgs", flake.nixpkgs.as_path())];
        serde_json::from_str::<Vec<String>>(&flake.nix(&asked, &inputs, &attribute)).unwrap()
    };
    assert_eq!(features("touchstone-full"), features_of_the_program());
    assert_eq!(features("touchstone"), Vec::<String>::new());
}

#[test]
fn the_static_package_has_the_launcher_of_sealed_generations_the_installer_and_the_hook() {
    let flake = Flake::new();
    let checkout = flake.touchstone.display().to_string();
    let built = |package: &str| {
        let attribute = format!("{checkout}#packages.x86_64-linux.{package}.cargoBuildFlags");
        let inputs = [("nixpkgs", flake.nixpkgs.as_path())];
        flake.nix(&["eval", "--json"], &inputs, &attribute)
    };
    let all = r#"["--package","touchstone","--package","touchstone-launcher","--package","touchstone-install","--package","touchstone-pre-build-hook"]"#;
    assert_eq!(built("touchstone").trim(), all);
    assert_eq!(
        built("touchstone-full").trim(),
        r#"["--package","touchstone","--package","touchstone-install"]"#
    );
}

/// What this program's manifest declares, as cargo reads it.
fn features_of_the_program() -> Vec<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = serde_json::from_str(&output(command).unwrap()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let program = packages
        .iter()
        .find(|package| package["name"] == "touchstone");
    let features = program.unwrap()["features"].as_object().unwrap();
    features.keys().cloned().collect()
}

/// The flake of a page, in a folder of its own with the files that it names.
fn example(flake: &Flake, page: &str) -> PathBuf {
    let page = fs::read_to_string(flake.touchstone.join(page)).unwrap();
    let (_, example) = page.split_once("\n```nix\n").unwrap();
    let (example, _) = example.split_once("\n```\n").unwrap();
    let folder = flake.work.path("example");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("flake.nix"), example).unwrap();
    fs::write(folder.join("configuration.nix"), CONFIGURATION).unwrap();
    for name in ["PK.esl", "KEK.esl", "db.esl", "db.pem", "pcrs.json"] {
        fs::write(folder.join(name), name).unwrap();
    }
    folder
}

impl Flake {
    /// Evaluates an attribute of Touchstone's own flake to JSON.
    pub fn own(&self, attribute: &str) -> Value {
        let flake = format!("{}#{attribute}", self.touchstone.display());
        let inputs = [("nixpkgs", self.nixpkgs.as_path())];
        serde_json::from_str(&self.nix(&["eval", "--json"], &inputs, &flake)).unwrap()
    }

    /// Evaluates an attribute of an example to JSON.
    pub fn json(&self, folder: &Path, attribute: &str) -> Value {
        serde_json::from_str(&self.evaluate(folder, "--json", attribute)).unwrap()
    }

    /// Evaluates an attribute of an example.
    pub fn evaluate(&self, folder: &Path, kind: &str, attribute: &str) -> String {
        self.evaluate_with(folder, &[kind], attribute)
    }

    /// Evaluates an attribute of an example with more arguments of `nix eval`.
    pub fn evaluate_with(&self, folder: &Path, more: &[&str], attribute: &str) -> String {
        let flake_and_attribute = format!("{}#{attribute}", folder.display());
        self.nix(
            &[&["eval"], more].concat(),
            &self.inputs(),
            &flake_and_attribute,
        )
    }

    /// Of all derivations that are built for this one, itself among them: the names of those that ask for the signing agent.
    pub fn asking(&self, derivation: &str) -> Vec<String> {
        let nix = Nix::new(&self.work.inputs, self.work.path("store")).unwrap();
        let mut command = nix.command("nix-store").unwrap();
        command.args(["--query", "--requisites", derivation.trim()]);
        let paths = output(command).unwrap();
        let derivations = paths
            .lines()
            .filter_map(|path| Derivation::parse(path).ok());
        let asks = |derivation: &Derivation| {
            let file = fs::read(nix.on_host(&derivation.to_string())).unwrap();
            Recipe::read(&file).unwrap().asks_for_the_agent().unwrap()
        };
        let asking = derivations.filter(asks);
        asking
            .map(|derivation| derivation.name().to_owned())
            .collect()
    }

    /// Checks everything of an example that can be checked without building.
    pub fn check(&self, folder: &Path) {
        let check = ["flake", "check", "--no-build"];
        self.nix(&check, &self.inputs(), &folder.display().to_string());
    }

    fn inputs(&self) -> [(&str, &Path); 2] {
        [("nixpkgs", &self.nixpkgs), ("touchstone", &self.touchstone)]
    }
}

#[test]
fn the_example_of_the_reference_page_evaluates() {
    let flake = Flake::new();
    let folder = example(&flake, "docs/reference.md");
    let check = "checks.x86_64-linux.pcrs-unchanged.request";
    let request = flake.evaluate(&folder, "--json", check);
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(request["operation"], "measure.compare");
    assert_eq!(request["required"], true);
    assert_eq!(request["pinned"], "pcrs.json");
    let document = flake.evaluate(&folder, "--raw", "packages.x86_64-linux.pcrs.outPath");
    assert_eq!(request["actual"], document.trim());
}

#[test]
fn the_example_of_the_checks_page_evaluates() {
    let flake = Flake::new();
    let folder = example(&flake, "docs/checks.md");
    for (check, operation) in [
        ("pcrs", "measure.compare"),
        ("artifacts", "boot.verify"),
        ("bootspec", "bootspec.validate"),
        ("space", "boot.space"),
        ("secrets", "closure.secrets"),
    ] {
        let attribute = format!("checks.x86_64-linux.{check}");
        let request = flake.evaluate(&folder, "--json", &format!("{attribute}.request"));
        let request: Value = serde_json::from_str(&request).unwrap();
        assert_eq!(request["operation"], operation, "{check}");
        let system = flake.evaluate(&folder, "--raw", &format!("{attribute}.system"));
        assert_eq!(system.trim(), "x86_64-linux", "{check}");
    }
}

#[test]
fn the_example_of_the_readme_evaluates() {
    let flake = Flake::new();
    let folder = example(&flake, "README.md");
    let evaluate = |kind: &str, attribute: &str| {
        let package = "nixosConfigurations.machine.config.system.build.bootArtifacts";
        flake.evaluate(&folder, kind, &format!("{package}.{attribute}"))
    };
    let derivation = evaluate("--raw", "drvPath");
    assert!(
        derivation.ends_with("-appliance-boot-artifacts.drv"),
        "{derivation}"
    );

    let request: Value = serde_json::from_str(&evaluate("--json", "request")).unwrap();
    assert_eq!(request["operation"], "boot.artifacts");
    let (bootspec, rescue) = (
        &request["bootspec"],
        &request["bootspec"]["specialisations"]["rescue"],
    );
    assert_eq!(
        bootspec["kernelParams"],
        serde_json::json!(["quiet", "loglevel=4"])
    );
    assert_eq!(
        rescue["kernelParams"],
        serde_json::json!(["rescue", "quiet", "loglevel=4"])
    );
    assert_ne!(bootspec["toplevel"], rescue["toplevel"]);
    let init = bootspec["init"].as_str().unwrap();
    assert_eq!(
        Some(init),
        bootspec["toplevel"]
            .as_str()
            .map(|path| format!("{path}/init"))
            .as_deref()
    );
    assert!(
        request["measure"]["secureBoot"]["certificate"]
            .as_str()
            .unwrap()
            .ends_with("db.pem")
    );
}

#[test]
fn the_nixos_module_of_the_flake_brings_the_program_of_the_machine_that_builds() {
    let flake = Flake::new();
    let folder = flake.work.path("example");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("configuration.nix"), CONFIGURATION).unwrap();
    fs::write(folder.join("flake.nix"), MODULE).unwrap();
    let builder = flake.evaluate(&folder, "--raw", "artifacts.builder");
    let program = flake.evaluate(&folder, "--raw", "program");
    assert_eq!(builder, format!("{program}/bin/touchstone"));
    let name = flake.json(&folder, "artifacts.name");
    assert_eq!(name, "appliance-boot-artifacts");
    let installers = flake.json(&folder, "installers");
    let full = flake.evaluate(&folder, "--raw", "full");
    let wanted = [program, full].map(|package| format!("{package}/bin/touchstone-install"));
    assert_eq!(
        installers,
        serde_json::json!(wanted),
        "a TPM needs the dynamic one"
    );
}

/// A flake with that machine, by the module alone.
const MODULE: &str = r#"{
  inputs.touchstone.inputs.nixpkgs.follows = "nixpkgs";
  outputs = { nixpkgs, touchstone, ... }: {
    artifacts = (nixpkgs.lib.nixosSystem {
      modules = [ touchstone.nixosModules.default ./configuration.nix { boot.touchstone.enable = true; } ];
    }).config.system.build.bootArtifacts;
    program = touchstone.packages.x86_64-linux.touchstone;
    full = touchstone.packages.x86_64-linux.touchstone-full;
    installers = map (key: (nixpkgs.lib.nixosSystem {
      modules = [
        touchstone.nixosModules.default
        ./configuration.nix
        { boot.touchstone = { enable = true; signing = { inherit key; method = "install"; certificate = ./flake.nix; }; }; }
        { boot.loader.touchstone.enable = true; }
      ];
    }).config.system.build.installBootLoader) [ "/keys/db.key" "tpm2:handle=0x81010001" ];
  };
}
"#;

/// A machine with a name and a specialisation.
const CONFIGURATION: &str = r#"{
  system.name = "appliance";
  boot.kernelParams = [ "quiet" ];
  specialisation.rescue.configuration.boot.kernelParams = [ "rescue" ];
}
"#;
