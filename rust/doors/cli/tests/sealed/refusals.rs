//! What is refused: a wrapper that would not be the generation it wraps.

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use super::Sealed;

/// A store, and a request by which generation 2 is sealed as a test needs it: unsigned, without prediction and manifest.
struct Bench {
    sealed: Sealed,
    request: Value,
}

impl Bench {
    fn new() -> Bench {
        let sealed = Sealed::build();
        let mut request = sealed.nix.evaluate("sealedRequest");
        let fields = request.as_object_mut().unwrap();
        for field in ["closure", "manifestKey", "measure", "sign"] {
            fields.shift_remove(field).unwrap();
        }
        fields["output"] = json!("made");
        fields["seal"]["path"] = json!(sealed.generation);
        Bench { sealed, request }
    }

    /// Runs the request after a change; what it said when it was refused.
    fn run(&self, change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut request = self.request.clone();
        change(&mut request);
        let work = &self.sealed.nix.work;
        work.write("request.json", request.to_string());
        let mut command = self.sealed.nix.touchstone_beside_store();
        command.args(["run", "request.json"]);
        let ran = command.output().unwrap();
        if ran.status.success() {
            return Ok(());
        }
        assert_eq!(ran.status.code(), Some(1));
        assert!(!work.path("made").exists());
        let entries = std::fs::read_dir(work.folder()).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name());
        let left = names.find(|name| name.to_string_lossy().starts_with(".touchstone-"));
        assert_eq!(left, None);
        Err(String::from_utf8(ran.stderr).unwrap())
    }

    fn assert_refused(&self, facts: &[&str], change: impl FnOnce(&mut Value)) {
        let said = self.run(change).expect_err(facts[0]);
        for fact in facts {
            assert!(said.contains(fact), "{fact}: {said}");
        }
        assert!(said.contains("  help: "), "{said}");
    }

    /// Puts a folder into the store; its path.
    fn add(&self, folder: &str) -> String {
        let mut add = self.sealed.nix.store("store").command("nix-store").unwrap();
        add.arg("--add").arg(self.sealed.nix.work.path(folder));
        output(add).unwrap().trim().to_owned()
    }
}

const CODE: &str = "[seal.refused]";

#[test]
fn what_does_not_describe_the_inner_generation_is_refused() {
    let bench = Bench::new();
    bench.run(|_| ()).unwrap();
    std::fs::remove_dir_all(bench.sealed.nix.work.path("made")).unwrap();
    for (field, value) in [
        ("kernelParams", json!(["quiet"])),
        ("label", json!("another")),
        ("system", json!("aarch64-linux")),
        ("initrds", json!([])),
        ("init", json!(format!("{}/init", bench.sealed.rescue))),
    ] {
        let fact = format!("the inner generation has the {field} ");
        bench.assert_refused(&[&fact, "boot.json", CODE], |request| {
            request["bootspec"][field] = value;
        });
    }
    let specialisation = "has the kernelParams ";
    bench.assert_refused(&[specialisation, CODE], |request| {
        request["bootspec"]["specialisations"]["rescue"]["kernelParams"] = json!(["quiet"]);
    });
    let extension = "both have the extension `org.nixos.systemd-boot`";
    bench.assert_refused(&[extension, CODE], |request| {
        request["bootspec"]["extensions"]["org.nixos.systemd-boot"] = json!({ "sortKey": "mine" });
    });
}

#[test]
fn a_program_that_appends_secrets_to_the_initrd_is_not_lost_in_silence() {
    let bench = Bench::new();
    let fact = "the inner generation names a program that appends secrets to the initrd";
    bench.assert_refused(&[fact, "withoutInitrdSecrets", CODE], |request| {
        let seal = request["seal"].as_object_mut().unwrap();
        assert_eq!(seal.shift_remove("withoutInitrdSecrets"), Some(json!(true)));
    });
}

#[test]
fn an_extension_of_the_request_that_says_the_same_or_is_new_is_accepted() {
    let bench = Bench::new();
    let change = |request: &mut Value| {
        let extensions = &mut request["bootspec"]["extensions"];
        extensions["org.nixos.systemd-boot"] = json!({ "sortKey": "touchstone-check" });
        extensions["org.example"] = json!({ "a": 1 });
    };
    bench.run(change).unwrap();
    let made = bench.sealed.nix.work.read("made/boot.json");
    let made: Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(made["org.example"], json!({ "a": 1 }));
}

#[test]
fn specialisations_have_to_be_named_alike_and_sealed() {
    let bench = Bench::new();
    let named = |by: &str, not_by: &str| format!("is named by {by} and not by {not_by}");
    let (bootspec, seal) = ("the request's bootspec", "`seal.specialisations`");
    bench.assert_refused(&[&named(bootspec, seal), CODE], |request| {
        request["seal"]["specialisations"] = json!({});
    });
    let other = bench.sealed.rescue.clone();
    bench.assert_refused(&[&named(seal, bootspec), "`other`", CODE], |request| {
        request["seal"]["specialisations"]["other"] = json!(other);
    });
    let lost = "named by the inner generation's folder `specialisation` and not by the request";
    bench.assert_refused(&[lost, "`rescue`", CODE], |request| {
        request["bootspec"]["specialisations"] = json!({});
        request["seal"]["specialisations"] = json!({});
    });
    for (path, fact) in [
        (
            bench.sealed.inner(&bench.sealed.rescue),
            "has no extension `org.touchstone.v1`",
        ),
        (
            bench.sealed.generation.clone(),
            "a specialisation has specialisations of its own",
        ),
    ] {
        bench.assert_refused(&[fact, CODE], |request| {
            request["seal"]["specialisations"]["rescue"] = json!(path);
        });
    }
    // Its files copied to another path: its launcher would still install the first one.
    let copied = bench.sealed.nix.work.path("copied-sealed");
    std::fs::create_dir(&copied).unwrap();
    let document = bench.sealed.on_host(&bench.sealed.rescue).join("boot.json");
    std::fs::copy(document, copied.join("boot.json")).unwrap();
    let copied = bench.add("copied-sealed");
    let fact = format!("is that of {}", bench.sealed.rescue);
    bench.assert_refused(&[&fact, CODE], |request| {
        request["seal"]["specialisations"]["rescue"] = json!(copied);
    });
}

#[test]
fn an_inner_generation_that_is_sealed_is_refused() {
    let bench = Bench::new();
    let sealed = bench.sealed.generation.clone();
    bench.assert_refused(&["it is sealed already", &sealed, CODE], |request| {
        request["bootspec"]["toplevel"] = json!(sealed);
    });
}

#[test]
fn what_cannot_be_switched_to_by_the_sealed_path_is_refused() {
    let bench = Bench::new();
    let inner = bench.sealed.inner(&bench.sealed.generation);
    let itself = format!("{}/bin/x", bench.sealed.generation);
    let document = format!("{inner}/boot.json");
    let switch = |field: &'static str, value: Value| {
        move |request: &mut Value| request["seal"]["switch"][field] = value
    };
    let variables = |value: Value| switch("environment", value);
    bench.assert_refused(&["which would install the inner generation", CODE], |all| {
        all["seal"].as_object_mut().unwrap().shift_remove("switch");
    });
    bench.assert_refused(&["`switch` is given without `launcher`", CODE], |all| {
        let seal = all["seal"].as_object_mut().unwrap();
        seal.shift_remove("launcher");
    });
    for (program, fact) in [
        ("bin/x", "no absolute path"),
        (&itself, "would start itself"),
        (&document, "no executable file"),
        (&inner, "no executable file"),
        ("/missing/program", "cannot be read"),
    ] {
        bench.assert_refused(&[fact, program], switch("program", json!(program)));
    }
    for (environment, fact) in [
        (json!({}), "no variable is the sealed generation's path"),
        (json!({ "TOPLEVEL": inner }), "no variable is the sealed"),
        (json!({ "A=B": "c" }), "cannot be the name of a variable"),
        (json!({ "": "c" }), "cannot be the name of a variable"),
        (json!({ "A": "\0" }), "holds a NUL"),
        (json!({ "A": { "$sealed": false } }), "is not true"),
        (json!({ "A": 1 }), "a variable is a text or"),
        (
            json!({ "A": { "$other": true } }),
            "a variable is a text or",
        ),
    ] {
        bench.assert_refused(&[fact], variables(environment));
    }
}

#[test]
fn a_launcher_that_is_no_program_for_the_generation_is_refused() {
    let bench = Bench::new();
    let work = &bench.sealed.nix.work;
    work.write("text", "#!/bin/sh\nexec something else entirely\n");
    let mut header = b"\x7fELF".to_vec();
    header.resize(64, 0);
    header[18] = 183;
    work.write("arm", &header);
    work.write("short", b"\x7fELF");
    for (launcher, fact) in [
        ("text", "it is no program (ELF)"),
        ("short", "it is no program (ELF)"),
        (
            "arm",
            "it is for aarch64-linux, and the generation for x86_64-linux",
        ),
        ("missing", "the launcher cannot be read"),
    ] {
        bench.assert_refused(&[fact, launcher], |request| {
            request["seal"]["launcher"] = json!(launcher);
        });
    }
}

/// Puts a toplevel into the store as `system.switch.enable = false` leaves it, without boot.json and specialisations, and describes it.
fn describe_plain(bench: &Bench, files: &[&str]) -> impl Fn(&mut Value) + use<> {
    let work = &bench.sealed.nix.work;
    for file in files {
        let file = format!("plain/{file}");
        std::fs::create_dir_all(work.path(&file).parent().unwrap()).unwrap();
        work.write(&file, &file);
    }
    let plain = bench.add("plain");
    move |request| {
        let bootspec = &mut request["bootspec"];
        bootspec["specialisations"] = json!({});
        bootspec["toplevel"] = json!(plain);
        bootspec["init"] = json!(format!("{plain}/init"));
        request["seal"]["specialisations"] = json!({});
    }
}

/// As it is sealed: without a launcher.
fn without_switch(request: &mut Value) {
    let seal = request["seal"].as_object_mut().unwrap();
    seal.shift_remove("switch");
}

#[test]
fn a_generation_that_cannot_be_switched_to_gets_no_launcher() {
    let bench = Bench::new();
    let describe = describe_plain(&bench, &["init", "bin/apply", ".hidden"]);
    let fact = "the inner generation has no bin/switch-to-configuration";
    bench.assert_refused(&[fact, CODE], &describe);
    let sealed = |request: &mut Value| {
        describe(request);
        without_switch(request);
    };
    bench.run(sealed).unwrap();
    let made = crate::real_nix::tree(&bench.sealed.nix.work.path("made"));
    let names: Vec<String> = made
        .iter()
        .map(|(name, _)| name.display().to_string())
        .collect();
    let wanted = [
        ".hidden",
        "bin/apply",
        "boot.json",
        "init",
        "touchstone/loader.efi",
        "touchstone/uki.efi",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn what_the_installer_reads_is_linked_and_nothing_else_of_the_inner_folder() {
    let bench = Bench::new();
    let describe = describe_plain(&bench, &["init", "touchstone/install.json"]);
    let sealed = |request: &mut Value| {
        describe(request);
        without_switch(request);
    };
    bench.run(sealed).unwrap();
    let link = bench.sealed.nix.work.path("made/touchstone/install.json");
    let target = super::target(&link);
    assert!(
        target.ends_with("-plain/touchstone/install.json"),
        "{target}"
    );

    std::fs::remove_dir_all(bench.sealed.nix.work.path("made")).unwrap();
    // Whoever has more there is sealed already, whatever else it has.
    let fuller = describe_plain(&bench, &["touchstone/uki.efi"]);
    bench.assert_refused(&["it is sealed already", "-plain", CODE], |request| {
        fuller(request);
        without_switch(request);
    });
}
