//! `boot.artifacts` without Nix: a generation whose files lie in a store of the test's own.

mod described;
mod detached;
mod extra_initrd;
mod on_the_way;
mod pcrsig;
mod profiles;
mod refusals;

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{TOUCHSTONE, Work};

/// A generation whose parts are files of a store that the program sees at `/nix/store`.
pub struct Generation {
    pub work: Work,
}

fn store(name: &str) -> String {
    format!("/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-{name}")
}

impl Generation {
    /// With kernel, initrds, stub, loader and test keys.
    pub fn new() -> Generation {
        let work = Work::with_kernel("amd64");
        work.keys("keys");
        work.stub("trixie", "x64", "stub");
        let copied = [
            (work.path("vmlinuz"), "linux"),
            (work.path("initrd"), "initrd"),
            (work.path("second-initrd"), "other-initrd"),
        ];
        std::fs::create_dir_all(work.path("nix/store")).unwrap();
        for (from, name) in copied {
            let inside = store(name);
            let to = work.path(inside.trim_start_matches('/'));
            std::fs::copy(from, to).unwrap();
        }
        std::fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader")).unwrap();
        Generation { work }
    }

    /// Runs `touchstone` beside the store.
    pub fn touchstone(&self, arguments: &[&str]) -> Output {
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let visit = visit
            .bind_at(self.work.path("nix"), "/nix")
            .show(TOUCHSTONE);
        let mut command = visit.command(TOUCHSTONE).unwrap();
        command.args(arguments).output().unwrap()
    }

    /// Runs `touchstone`, which must end well; the answer is the JSON that it printed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.touchstone(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Performs a request, which must succeed.
    pub fn run(&self, request: &Value) -> Value {
        self.work.write("request.json", request.to_string());
        self.json(&["run", "request.json"])
    }

    /// Makes artifacts in the folder `output`, of the request that [`request`] begins and `fields` end.
    pub fn make(&self, output: &str, fields: Value) -> Value {
        self.run(&request(output, fields))
    }

    /// Makes artifacts, which must be refused; the answer is what was said.
    pub fn refused(&self, fields: Value) -> Output {
        let request = request("out", fields);
        self.work.write("request.json", request.to_string());
        let output = self.touchstone(&["run", "request.json"]);
        assert!(!self.work.path("out").exists());
        output
    }

    /// `org.touchstone.v1` of the artifacts in `folder`.
    pub fn extension(&self, folder: &str) -> Value {
        let document = self.work.read(&format!("{folder}/boot.json"));
        let document: Value = serde_json::from_slice(&document).unwrap();
        document["org.touchstone.v1"].clone()
    }

    /// A JSON file.
    pub fn read(&self, file: &str) -> Value {
        serde_json::from_slice(&self.work.read(file)).unwrap()
    }

    /// What `measure.predict` says of finished files.
    pub fn predicted(&self, fields: Value) -> Value {
        let request = json!({ "operation": "measure.predict", "measure": measure() });
        self.run(&merged(request, fields))
    }
}

/// What a specialisation or a generation consists of.
pub fn core(name: &str, parameters: &[&str]) -> Value {
    let toplevel = store(&format!("nixos-system-{name}"));
    json!({
        "system": "x86_64-linux",
        "toplevel": toplevel,
        "init": format!("{toplevel}/init"),
        "kernel": store("linux"),
        "kernelParams": parameters,
        "initrds": [store("initrd")],
        "label": format!("NixOS ({name})"),
    })
}

/// Everything that is predicted here.
pub fn measure() -> Value {
    json!({
        "secureBoot": { "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl" },
        "withoutBootSecret": true,
    })
}

/// The test key.
pub fn sign() -> Value {
    json!({ "key": "keys/db.key", "certificate": "keys/db.pem" })
}

/// Specialisations: `quiet` and `loud` differ from the generation in their command line alone, `rescue` has another initrd.
pub fn specialisations() -> Value {
    let mut rescue = core("rescue", &["console=ttyS0"]);
    rescue["initrds"] = json!([store("other-initrd")]);
    json!({
        "quiet": core("quiet", &["quiet"]),
        "loud": core("loud", &["console=ttyS0", "debug"]),
        "rescue": rescue,
    })
}

/// A request for a generation's artifacts; fields of `fields` take the place of its own.
pub fn request(output: &str, fields: Value) -> Value {
    let request = json!({
        "operation": "boot.artifacts",
        "bootspec": core("one", &["console=ttyS0"]),
        "stub": "stub",
        "loader": "loader",
        "osRelease": "ID=check\nPRETTY_NAME=Check\n",
        "output": output,
    });
    merged(request, fields)
}

fn merged(mut request: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

/// The generation with specialisations.
pub fn with_specialisations() -> Value {
    let mut bootspec = core("one", &["console=ttyS0"]);
    bootspec["specialisations"] = specialisations();
    bootspec
}
