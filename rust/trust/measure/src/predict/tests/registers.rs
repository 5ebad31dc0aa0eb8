//! What each register holds, and where its value is refused.

use super::*;

const OPTION: &[u8] = b"Calling EFI Application from Boot Option";

#[test]
fn pcr_4_holds_the_images_that_the_firmware_loads() {
    for version in ["252.1", "257.1", "262.1"] {
        assert_eq!(
            value(&boot(version, true), 4),
            of_data(&[OPTION, &[0; 4], b"loader", b"uki"]),
            "{version}"
        );
    }
}

#[test]
fn pcr_4_holds_the_inner_kernel_without_secure_boot_before_262() {
    for version in ["252.1", "257.1"] {
        let images: [&[u8]; 5] = [OPTION, &[0; 4], b"loader", b"uki", b"kernel"];
        assert_eq!(
            value(&boot(version, false), 4),
            of_data(&images),
            "{version}"
        );
    }
    assert_eq!(
        value(&boot("262.1", false), 4),
        of_data(&[OPTION, &[0; 4], b"loader", b"uki"])
    );
    let mut without = boot("257.1", false);
    uki(&mut without).kernel = None;
    assert!(matches!(
        predict(&without, &ask(4)),
        Err(PredictError::NoKernel { .. })
    ));
}

#[test]
fn pcr_7_holds_each_distinct_signer_once() {
    let same = predict(&boot("257.1", true), &ask(7)).unwrap();
    assert_eq!(same.leaves[0].measurements.len(), 7);
    let mut other = boot("257.1", true);
    uki(&mut other).image.vouching = promised(2);
    assert_eq!(
        predict(&other, &ask(7)).unwrap().leaves[0]
            .measurements
            .len(),
        8
    );
    assert_eq!(
        predict(&boot("257.1", false), &ask(7)).unwrap().leaves[0]
            .measurements
            .len(),
        6
    );
}

#[test]
fn pcr_7_is_refused_without_keys_or_signers() {
    let mut unsigned = boot("257.1", true);
    uki(&mut unsigned).image.vouching = Vouching::Unknown;
    assert_eq!(
        predict(&unsigned, &ask(7)),
        Err(PredictError::NoAuthority {
            image: "uki".into()
        })
    );
    let mut keyless = boot("257.1", true);
    keyless.variables.kek.clear();
    assert_eq!(
        predict(&keyless, &ask(7)),
        Err(PredictError::NoKeys { variable: "KEK" })
    );
}

#[test]
fn pcr_9_holds_command_line_and_initrd() {
    let line = utf16::with_nul("console=ttyS0 ro");
    assert_eq!(value(&boot("252.1", true), 9), of_data(&[&line, b"initrd"]));
    let served = [
        b"initrd\0\0".to_vec(),
        crate::cpio::extra_file("os-release", b"ID=x\n"),
    ]
    .concat();
    for version in ["257.1", "262.1"] {
        assert_eq!(
            value(&boot(version, true), 9),
            of_data(&[&line, &served]),
            "{version}"
        );
    }
}

#[test]
fn pcr_9_serves_microcode_first_and_the_small_files_last() {
    let sections: [(&str, &[u8]); 7] = [
        (".osrel", b"ID=x\n"),
        (".cmdline", b"console=ttyS0"),
        (".pcrpkey", b"key"),
        (".linux", b"kernel"),
        (".initrd", b"initrd"),
        (".ucode", b"micro"),
        (".pcrsig", b"{}"),
    ];
    let mut announced = UkiMeasurer::new(&SHA256);
    announced.announce_microcode(&mut &b"micro"[..]).unwrap();
    show(
        &mut announced,
        ".sdmagic",
        b"#### LoaderInfo: systemd-stub 257.1 ####",
    );
    sections
        .iter()
        .for_each(|(name, content)| show(&mut announced, name, content));
    let served = [
        b"micro\0\0\0initrd\0\0".to_vec(),
        crate::cpio::extra_file("tpm2-pcr-signature.json", b"{}"),
        crate::cpio::extra_file("tpm2-pcr-public-key.pem", b"key"),
        crate::cpio::extra_file("os-release", b"ID=x\n"),
    ]
    .concat();
    let boot = boot_of("257.1", true, announced.finish().unwrap());
    assert_eq!(
        value(&boot, 9),
        of_data(&[&utf16::with_nul("console=ttyS0"), &served])
    );

    let unannounced = boot_of("257.1", true, uki_of("257.1", &sections));
    assert_eq!(predict(&unannounced, &ask(9)), Err(PredictError::OrderLost));
    assert_eq!(value(&unannounced, 11), value(&boot, 11));
}

#[test]
fn pcr_9_is_refused_where_stub_262_lets_the_machine_decide() {
    let sections = [
        (".cmdline", &b"quiet"[..]),
        (".linux", b"k"),
        (".initrd", b"i"),
    ];
    assert_eq!(
        predict(&boot_of("262.1", true, uki_of("262.1", &sections)), &ask(9)),
        Err(PredictError::Console)
    );
    assert!(predict(&boot_of("257.1", true, uki_of("257.1", &sections)), &ask(9)).is_ok());
    let mut secretive = boot("262.1", true);
    secretive.no_boot_secret = false;
    assert_eq!(predict(&secretive, &ask(9)), Err(PredictError::BootSecret));
    assert!(predict(&secretive, &ask(11)).is_ok());
}

#[test]
fn pcr_9_is_refused_for_what_never_booted() {
    let refused = |version: &str, sections: &[(&str, &[u8])]| {
        let error =
            predict(&boot_of(version, true, uki_of(version, sections)), &ask(9)).unwrap_err();
        assert!(
            matches!(error, PredictError::NotCompared { pcr: 9, .. }),
            "{error}"
        );
    };
    refused("257.1", &[(".linux", b"k"), (".initrd", b"i")]);
    refused("257.1", &[(".cmdline", b"console=x"), (".linux", b"k")]);
    let profiles: [(&str, &[u8]); 5] = [
        (".cmdline", b"console=x"),
        (".linux", b"k"),
        (".initrd", b"i"),
        (".profile", b"ID=a"),
        (".profile", b"ID=b"),
    ];
    refused("252.1", &profiles);
}

#[test]
fn pcr_11_follows_the_stubs_order_and_leaves_the_signature_out() {
    let sections: [(&str, &[u8]); 6] = [
        (".uname", b"6.12"),
        (".cmdline", b"c"),
        (".splash", b"s"),
        (".linux", b"k"),
        (".pcrsig", b"{}"),
        (".dtb", b""),
    ];
    let data: [&[u8]; 8] = [
        b".linux\0",
        b"k",
        b".cmdline\0",
        b"c",
        b".splash\0",
        b"s",
        b".uname\0",
        b"6.12",
    ];
    assert_eq!(
        value(&boot_of("257.1", true, uki_of("257.1", &sections)), 11),
        of_data(&data)
    );
    // 252 does not know `.uname`.
    assert_eq!(
        value(&boot_of("252.1", true, uki_of("252.1", &sections)), 11),
        of_data(&data[..6])
    );
}

#[test]
fn pcr_11_gives_a_leaf_for_each_phase() {
    let mut boot = boot("257.1", true);
    let phases = vec![
        PhasePath::none(),
        "enter-initrd:leave-initrd".parse().unwrap(),
    ];
    let prediction = predict(
        &boot,
        &Ask {
            phases,
            ..Ask::default()
        },
    )
    .unwrap();
    let [before, after] = prediction.leaves.as_slice() else {
        panic!("two leaves")
    };
    assert_eq!(before.path, ["generation 1", "before the first phase"]);
    assert_eq!(
        after.path,
        ["generation 1", "phase enter-initrd:leave-initrd"]
    );
    let eleven = |leaf: &Leaf| leaf.pcrs[&11][&Bank::Sha256];
    let phases = [b"enter-initrd".as_slice(), b"leave-initrd"];
    assert_eq!(
        eleven(after),
        phases.iter().fold(eleven(before), |value, word| value
            .extended(&Bank::Sha256.hash(word)))
    );
    assert_eq!(
        eleven(after),
        uki(&mut boot)
            .measured
            .pcr11(Bank::Sha256, &"enter-initrd:leave-initrd".parse().unwrap())
            .unwrap()
    );
    assert_eq!(before.pcrs[&4], after.pcrs[&4]);
}

#[test]
fn pcr_12_is_untouched_but_for_252() {
    for version in ["257.1", "262.1"] {
        assert_eq!(value(&boot(version, false), 12), Digest::zero(Bank::Sha256));
    }
    let line = utf16::with_nul("console=ttyS0 ro");
    assert_eq!(value(&boot("252.1", true), 12), of_data(&[&line]));
    assert_eq!(value(&boot("252.1", false), 12), of_data(&[&line, &line]));
}
