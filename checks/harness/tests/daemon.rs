//! A nix-daemon with build users, and several clients.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use touchstone_harness::{NixDaemon, inputs};

/// A build that waits in the meeting until the host says so.
const WAITS: &str = r#"{ probe, name }: derivation {
  inherit name;
  system = "x86_64-linux";
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  requiredSystemFeatures = [ "meetings" ];
  mode = "ask";
  socket = "/nowhere/socket";
  asks = [ { name = "nobody"; header = { }; } ];
  meeting = if name == "waits" then "/meeting" else null;
}"#;

#[test]
fn two_clients_build_at_the_same_time_as_users_of_their_own() {
    let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let program = inputs.probe.as_ref().unwrap();
    touchstone_harness::nix_inputs::package(folder, program).unwrap();
    let meeting = folder.join("meeting");
    fs::create_dir(&meeting).unwrap();
    rustix::fs::chmod(&meeting, rustix::fs::Mode::from_raw_mode(0o777)).unwrap();
    fs::write(folder.join("waits.nix"), WAITS).unwrap();
    let settings = format!(
        "extra-system-features = meetings\nextra-sandbox-paths = /meeting={}\n",
        meeting.display()
    );
    let daemon = NixDaemon::start(&inputs, folder, &settings, |visit| visit.bind(folder)).unwrap();

    let mut command = daemon.command("nix-build").unwrap();
    command.args(arguments(folder, "waits"));
    let mut first = command.spawn().unwrap();
    let begun = Instant::now();
    while !meeting.join("arrived").exists() {
        let said = daemon.said().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let built = daemon.build(arguments(folder, "passes")).unwrap();
    let sees = fs::read_to_string(daemon.on_host(&built.concat()).join("sees")).unwrap();
    assert!(sees.starts_with("nothing: "), "{sees}");
    assert!(first.try_wait().unwrap().is_none());
    fs::write(meeting.join("go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    if rustix::process::geteuid().is_root() {
        assert_ne!(fs::metadata(meeting.join("arrived")).unwrap().uid(), 0);
    }
}

fn arguments(folder: &Path, name: &str) -> [String; 8] {
    let file = folder.join("waits.nix").display().to_string();
    let probe = folder.join("touchstone-probe").display().to_string();
    let [a, b, c] = ["--no-out-link", "--arg", "--argstr"].map(str::to_owned);
    let [probe_name, name_name] = ["probe", "name"].map(str::to_owned);
    [a, file, b, probe_name, probe, c, name_name, name.to_owned()]
}
