//! The service as the NixOS module has it, started and ended by a real systemd.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use touchstone_harness::modules::evaluated;

use super::Lab;
use crate::sign::sbverify;

/// How long systemd may take to start, and to do all of this.
const PATIENCE: Duration = Duration::from_secs(180);

/// Units, each with its sections.
type Units = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

/// The text of a unit.
fn text(sections: &BTreeMap<String, BTreeMap<String, Value>>) -> String {
    let mut text = String::new();
    for (section, settings) in sections {
        text += &format!("[{section}]\n");
        for (name, value) in settings {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let value = value.as_str().map_or(value.to_string(), str::to_owned);
                text += &format!("{name}={value}\n");
            }
        }
    }
    text
}

/// Asks the agent by its sockets, stops it, asks again, kills it, and asks once more.
const SCRIPT: &str = r#"
cd /lab
sign() { ./touchstone pe sign --key agent:db --certificate db.pem --output "$1.efi" "$2"; echo "$1 $?"; }
state() { echo "$1 $(systemctl is-active touchstone-agent.service)"; }
state before
sign first addon
state started
systemctl show -p NRestarts touchstone-agent.service
grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/$(systemctl show -p MainPID --value touchstone-agent.service)/status
sign other other 2> other.said
systemctl stop touchstone-agent.service
state stopped
systemctl show -p Result touchstone-agent.service
ls /run/touchstone-agent
sign second addon
state again
systemctl kill --signal=KILL touchstone-agent.service
sign third addon
systemctl show -p NRestarts touchstone-agent.service
systemctl stop touchstone-agent-control.socket touchstone-agent-direct.socket touchstone-agent.service
echo "left $(ls /run/touchstone-agent | wc -l)"
./touchstone agent log verify --public-key "$(cat log.pub)" > verified; echo "verified $?"
"#;

const EXPECTED: &str = "before inactive
first 0
started active
NRestarts=0
CapBnd:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
other 1
stopped inactive
Result=success
control
direct
second 0
again active
third 0
NRestarts=1
left 0
verified 0
";

#[test]
fn systemd_starts_it_when_somebody_asks_and_again_when_it_is_killed() {
    let mut lab = Lab::new();
    lab.log = serde_json::json!({ "exports": ["/lab/exports"] });
    let outside = lab.work.folder().display().to_string();
    let policy = lab.policy(1).to_string().replace(&outside, "/lab");
    lab.secret("policy.json", policy.as_bytes());
    lab.work.write("addon", lab.image(0));
    lab.work.write("other", lab.image(1));
    lab.work.write("check.sh", SCRIPT);
    fs::create_dir(lab.path("exports")).unwrap();
    let program = lab.work.inputs.touchstone.as_ref().unwrap();
    fs::copy(program, lab.path("touchstone")).unwrap();
    write_units(&lab);

    let root = lab.work.inputs.trixie();
    let visit = root.visit().as_init().bind_at(lab.work.folder(), "/lab");
    let mut command = visit.command("/usr/lib/systemd/systemd").unwrap();
    command.args(["--system", "--unit=check.service", "--log-target=console"]);
    command.env("container", "check");
    command.env("SYSTEMD_UNIT_PATH", "/lab/units:");
    let console = fs::File::create(lab.path("console")).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(console.try_clone().unwrap())
        .stderr(console);
    let mut systemd = command.spawn().unwrap();
    let begun = Instant::now();
    while systemd.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            systemd.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(50));
    }
    let said = |name: &str| fs::read_to_string(lab.path(name)).unwrap_or_default();
    let all = format!("{}{}", said("console"), said("errors"));
    assert_eq!(said("said"), EXPECTED, "{all}");
    assert!(
        said("other.said").contains("image.loader"),
        "{}",
        said("other.said")
    );
    let [first, second, third] =
        ["first", "second", "third"].map(|name| lab.work.read(&format!("{name}.efi")));
    assert!(first == second && second == third);
    assert!(sbverify(&lab.work, "db.pem", "first.efi"));
    assert!(fs::read_dir(lab.path("exports")).unwrap().count() > 0);
}

/// The module's units, with the program and the policy of the lab, and one that asks.
fn write_units(lab: &Lab) {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let checkout = checkout.canonicalize().unwrap();
    let mut units: Units =
        evaluated(&lab.work.inputs, &checkout, "checks/agent-units.nix").unwrap();
    let service = units.remove("touchstone-agent").unwrap();
    let text_of_service = text(&service);
    let start = service["Service"]["ExecStart"].as_str().unwrap();
    let ours =
        "/lab/touchstone agent serve --policy /lab/policy.json --state /var/lib/touchstone-agent";
    let write = |name: &str, text: &str| lab.work.write(&format!("units/{name}"), text);
    fs::create_dir(lab.path("units")).unwrap();
    write(
        "touchstone-agent.service",
        &text_of_service.replace(start, ours),
    );
    for (name, sections) in &units {
        write(&format!("{name}.socket"), &text(sections));
    }
    let sockets = ["control", "direct"].map(|name| format!("touchstone-agent-{name}.socket"));
    assert!(
        units
            .keys()
            .map(|name| format!("{name}.socket"))
            .eq(sockets.clone())
    );
    let sockets = sockets.join(" ");
    write(
        "check.service",
        &format!(
            "[Unit]\nDefaultDependencies=no\nWants={sockets}\nAfter={sockets}\nSuccessAction=exit-force\nFailureAction=exit-force\n\
             [Service]\nType=oneshot\nExecStart=/bin/sh /lab/check.sh\nStandardOutput=file:/lab/said\nStandardError=file:/lab/errors\n"
        ),
    );
}
