//! What comes beside the image, from the firmware and from the host.

use super::*;

/// A structure of SMBIOS with strings.
fn structure(kind: u8, strings: &[&str]) -> Vec<u8> {
    let mut bytes = vec![kind, 5, 1, 0, u8::try_from(strings.len()).unwrap()];
    for string in strings {
        bytes.extend(string.bytes());
        bytes.push(0);
    }
    if strings.is_empty() {
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

fn table(strings: &[&str]) -> Vec<u8> {
    let structures = [
        structure(0, &["BIOS", "io.systemd.credential:ignored=1"]),
        structure(11, strings),
        structure(127, &[]),
    ];
    structures.concat()
}

const TABLE: &str = "/sys/firmware/dmi/tables/DMI";

#[test]
fn secrets_and_texts_pass() {
    let boot = Boot::clean();
    boot.put("/.extra/credentials/touchstone-manifest.cred", "x");
    boot.put("/.extra/global_credentials/cryptsetup.passphrase.cred", "x");
    boot.put("/.extra/tpm2-pcr-signature.json", "x");
    boot.put("/.extra/os-release", "x");
    boot.put(
        TABLE,
        table(&[
            "vendor",
            "io.systemd.credential:vmm.notify_socket=vsock:2:1",
        ]),
    );
    boot.put("/run/credentials/@encrypted/touchstone-manifest", "x");
    boot.judge().unwrap();
}

#[test]
fn credentials_that_could_change_what_runs_are_refused_wherever_they_come_from() {
    for name in [
        "systemd.extra-unit.evil.service",
        "systemd.unit-dropin.x.service",
        "fstab.extra",
        "tmpfiles.extra",
        "sysctl.extra",
        "udev.rules.evil",
        "passwd.plaintext-password.root",
        "a-name-of-tomorrow",
    ] {
        let boot = Boot::clean();
        boot.put(&format!("/.extra/credentials/{name}.cred"), "x");
        assert!(boot.refusal().contains("(beside the image)"), "{name}");

        let boot = Boot::clean();
        boot.put(&format!("/.extra/global_credentials/{name}.cred"), "x");
        assert!(boot.refusal().contains("(beside the image)"), "{name}");

        for kind in ["credential", "credential.binary"] {
            let boot = Boot::clean();
            let string = format!("io.systemd.{kind}:{name}=x");
            boot.put(TABLE, table(&["other", &string]));
            assert!(boot.refusal().contains("(an SMBIOS string"), "{name}");
        }

        let boot = Boot::clean();
        boot.put(&format!("{}/{name}/raw", firmware::QEMU), "x");
        assert!(boot.refusal().contains("(fw_cfg of QEMU)"), "{name}");

        let boot = Boot::clean();
        boot.put(&format!("/run/credentials/@system/{name}"), "x");
        let refusal = boot.refusal();
        assert!(refusal.contains("(taken by systemd)"), "{refusal}");
        assert!(refusal.contains(name), "{refusal}");
    }
}

#[test]
fn names_that_the_image_signs_pass() {
    let boot = Boot::clean();
    boot.put("/.extra/credentials/wireguard-key.cred", "x");
    assert!(boot.judge().is_err());
    boot.judge_with(&["wireguard-key"]).unwrap();
}

#[test]
fn what_the_signed_line_sets_passes_once_systemd_has_taken_it() {
    let boot = Boot::clean();
    let line = signed(" systemd.set-credential=mine:x 'systemd.set_credential_binary=yours:eA=='");
    boot.put(COMMAND_LINES, format!("{line}\n"));
    boot.put(COMMAND_LINE, format!("{line}\n"));
    boot.put("/run/credentials/@system/mine", "x");
    boot.put("/run/credentials/@system/yours", "x");
    boot.judge().unwrap();
    boot.put("/run/credentials/@system/theirs", "x");
    assert!(boot.refusal().contains("`theirs`"));
}

#[test]
fn a_file_among_credentials_that_is_none_is_refused() {
    let boot = Boot::clean();
    boot.put("/.extra/credentials/touchstone-manifest", "x");
    assert!(boot.refusal().contains("`touchstone-manifest`"));
}

#[test]
fn extensions_are_refused() {
    for folder in ["sysext", "confext", "global_sysext", "global_confext"] {
        let boot = Boot::clean();
        boot.put(&format!("/.extra/{folder}/evil.raw"), "x");
        let refusal = boot.refusal();
        let sentence = format!("extension `{folder}/evil.raw` lies beside the image");
        assert!(refusal.contains(&sentence), "{refusal}");
    }
    let boot = Boot::clean();
    boot.put("/.extra/tomorrow", "x");
    assert!(boot.refusal().contains("which is not known"));
}

#[test]
fn smbios_strings_are_found_as_the_kernel_finds_them() {
    let strings = |bytes: &[u8]| firmware::oem_strings(bytes).len();
    assert_eq!(strings(&table(&["a", "b"])), 2);
    assert_eq!(strings(b""), 0);
    // Behind the end mark, too: old firmware counts its structures.
    let more = [table(&["a"]), structure(11, &["b"])].concat();
    assert_eq!(strings(&more), 2);
    // What is cut off does not exist, nor what follows a head that is too short.
    let whole = structure(11, &["abc"]);
    for end in 0..whole.len() {
        assert_eq!(strings(&whole[..end]), 0, "{end}");
    }
    assert_eq!(strings(&[vec![11, 3, 0, 0, 0, 0], whole].concat()), 0);
}

#[test]
fn a_command_line_in_the_firmwares_variables_is_refused() {
    let boot = Boot::clean();
    let variable = |name: &str| format!("{}/{name}", firmware::VARIABLES);
    boot.put(
        &variable("LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"),
        "x",
    );
    boot.judge().unwrap();
    boot.put(
        &variable("SystemdOptions-8cf2644b-4b0b-428f-9387-6d876050dc67"),
        "x",
    );
    assert!(boot.refusal().contains("the variable SystemdOptions"));
}

#[test]
fn a_host_is_seen_in_a_device_tree_as_well() {
    let boot = Boot::clean();
    let machine = Machine::at(boot.folder.path());
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let module = "kernel/drivers/firmware/qemu_fw_cfg.ko.xz:\n";
    boot.put(&format!("/lib/modules/{release}/modules.dep"), module);
    let alias = |device: &str| format!("/sys/bus/platform/devices/{device}/modalias");
    boot.put(&alias("9000000.pl011"), "of:NuartT(null)Carm,pl011\n");
    firmware::reveal(&machine).unwrap();
    let device = "of:Nfw-cfgT(null)Cqemu,fw-cfg-mmio\n";
    boot.put(&alias("9020000.fw-cfg"), device);
    let error = firmware::reveal(&machine).unwrap_err().to_string();
    assert!(error.contains("can hand credentials to systemd"), "{error}");
}

#[test]
fn what_a_host_could_say_later_is_no_secret() {
    let boot = Boot::clean();
    let machine = Machine::at(boot.folder.path());
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    firmware::reveal(&machine).unwrap();
    // A host that speaks, to an initrd that does not listen.
    boot.put("/sys/bus/acpi/devices/QEMU0002:00/status", "15");
    boot.put(&format!("/lib/modules/{release}/modules.dep"), "a.ko:\n");
    firmware::reveal(&machine).unwrap();
    // One that systemd could make listen, behind our back.
    let module = "kernel/drivers/firmware/qemu_fw_cfg.ko.xz:\n";
    boot.put(&format!("/lib/modules/{release}/modules.dep"), module);
    let error = firmware::reveal(&machine).unwrap_err().to_string();
    assert!(error.contains("can hand credentials to systemd"), "{error}");
    // One that listens already: its credentials are judged.
    boot.put("/sys/firmware/qemu_fw_cfg/rev", "1");
    firmware::reveal(&machine).unwrap();
}

#[test]
fn what_cannot_be_read_is_refused_by_its_name() {
    for folder in [
        "/.extra",
        "/.extra/credentials",
        "/run/credentials/@system",
        "/sys/firmware/efi/efivars",
        firmware::QEMU,
    ] {
        let boot = Boot::clean();
        boot.put(folder, "a file");
        let says = format!("{folder} cannot be read: Not a directory");
        assert!(boot.refusal().starts_with(&says), "{}", boot.refusal());
    }
    for file in [COMMAND_LINES, "/sys/firmware/dmi/tables/DMI"] {
        let boot = Boot::clean();
        let _ = fs::remove_file(boot.folder.path().join(&file[1..]));
        boot.put(&format!("{file}/in a folder"), "");
        let says = format!("{file} cannot be read: Is a directory");
        assert!(boot.refusal().starts_with(&says), "{}", boot.refusal());
    }
}
