//! stage1.conf: any bytes are read or refused; what is read is written as lines that read as the same, and is a configuration that can be carried out.
//!
//! Seeds: `usual` is what the module writes, `every` has all words, `shell` is for development, `twice` and `unknown` are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_stage1::configuration::{Carrier, Configuration, OnFailure, parse};
use touchstone_store::distinct_contents;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = parse(bytes) else {
        return;
    };
    assert!(read.sigs_needed >= 1 && read.sigs_needed <= distinct_contents(&read.keys));
    assert!(read.init.is_absolute() && read.sysroot.is_absolute());
    assert_eq!(parse(written(&read).as_bytes()).as_ref(), Ok(&read));
});

fn written(read: &Configuration) -> String {
    let mut text = format!(
        "version 1\nsigs-needed {}\nsysroot {}\ninit {}\n",
        read.sigs_needed,
        read.sysroot.display(),
        read.init.display()
    );
    let carrier = match read.manifest {
        Carrier::Image => "image",
        Carrier::Esp => "esp",
        Carrier::Root => "root",
    };
    text += &format!("manifest {carrier}\n");
    text += &match &read.on_failure {
        OnFailure::Halt => "on-failure halt\n".to_owned(),
        OnFailure::Reboot => "on-failure reboot\n".to_owned(),
        OnFailure::Shell(shell) => format!("on-failure shell\nshell {}\n", shell.display()),
    };
    for key in &read.keys {
        text += &format!("key {key}\n");
    }
    for name in &read.credentials {
        text += &format!("credential {name}\n");
    }
    if let Some(class) = &read.class {
        text += &format!("class {class}\n");
    }
    if let Some(register) = read.measure {
        text += &format!("measure {register}\n");
    }
    text
}
