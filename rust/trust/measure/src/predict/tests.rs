use uuid::Uuid;

use super::*;
use crate::boot_path::{Authority, Loader, StartedImage, Uki, Variables};
use crate::hash::Digests;
use crate::measured::MeasuredUki;
use crate::uki::UkiMeasurer;
use crate::uki::tests::show;
use crate::utf16;
use crate::version::{Component, Version};

const SHA256: [Bank; 1] = [Bank::Sha256];

fn uki_of(stub: &str, sections: &[(&str, &[u8])]) -> MeasuredUki {
    let mut measurer = UkiMeasurer::new(&SHA256);
    show(&mut measurer, ".text", b"code");
    show(
        &mut measurer,
        ".sdmagic",
        format!("#### LoaderInfo: systemd-stub {stub} ####").as_bytes(),
    );
    for (name, content) in sections {
        show(&mut measurer, name, content);
    }
    measurer.finish().unwrap()
}

const PLAIN: [(&str, &[u8]); 4] = [
    (".osrel", b"ID=x\n"),
    (".cmdline", b"console=ttyS0 ro\n"),
    (".linux", b"kernel"),
    (".initrd", b"initrd"),
];

fn boot(version: &str, secure_boot: bool) -> BootPath {
    boot_of(version, secure_boot, uki_of(version, &PLAIN))
}

fn boot_of(version: &str, secure_boot: bool, measured: MeasuredUki) -> BootPath {
    let authority = Some(Authority {
        owner: Uuid::from_u128(1),
        certificate: vec![1, 2, 3],
    });
    let image = |name: &str| StartedImage {
        name: name.to_owned(),
        authenticode: Digests::of(&SHA256, name.as_bytes()),
        authority: authority.clone(),
        hashed_otherwise: false,
    };
    let magic = format!("#### LoaderInfo: systemd-boot {version} ####");
    BootPath {
        path: vec!["generation 1".into()],
        variables: Variables {
            pk: vec![1],
            kek: vec![2],
            db: vec![3],
            dbx: Vec::new(),
            secure_boot,
        },
        loader: Loader {
            image: image("loader"),
            version: Version::of_sdmagic(Component::Boot, magic.as_bytes()).unwrap(),
            no_boot_secret: true,
        },
        uki: Uki {
            image: image("uki"),
            measured,
            kernel: Some(Digests::of(&SHA256, b"kernel")),
        },
    }
}

fn ask(pcr: u32) -> Ask {
    Ask {
        pcrs: vec![pcr],
        ..Ask::default()
    }
}

fn value(boot: &BootPath, pcr: u32) -> Digest {
    predict(boot, &ask(pcr)).unwrap().leaves[0].pcrs[&pcr][&Bank::Sha256]
}

fn of_data(data: &[&[u8]]) -> Digest {
    data.iter().fold(Digest::zero(Bank::Sha256), |value, data| {
        value.extended(&Bank::Sha256.hash(data))
    })
}

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
    without.uki.kernel = None;
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
    other.uki.image.authority = Some(Authority {
        owner: Uuid::from_u128(2),
        certificate: vec![1, 2, 3],
    });
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
    unsigned.uki.image.authority = None;
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
    assert_eq!(
        predict(&unannounced, &ask(9)),
        Err(PredictError::MicrocodeNotAnnounced)
    );
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
    secretive.loader.no_boot_secret = false;
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
    refused(
        "257.1",
        &[
            (".cmdline", b"console=x"),
            (".linux", b"k"),
            (".initrd", b"i"),
            (".profile", b"ID=a"),
        ],
    );
    refused(
        "252.1",
        &[
            (".cmdline", b"console=x"),
            (".linux", b"k"),
            (".ucode", b"u"),
            (".initrd", b"i"),
        ],
    );
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
    let boot = boot("257.1", true);
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
        boot.uki
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

#[test]
fn refuses_the_registers_of_others_with_the_reason() {
    for pcr in [
        0,
        1,
        2,
        3,
        5,
        6,
        8,
        10,
        14,
        15,
        16,
        17,
        22,
        23,
        24,
        u32::MAX,
    ] {
        let error = predict(&boot("257.1", true), &ask(pcr)).unwrap_err();
        assert!(
            matches!(error, PredictError::Pcr { pcr: refused, .. } if refused == pcr),
            "{error}"
        );
    }
}

#[test]
fn refuses_pcr_4_alone_of_an_image_that_firmware_hashes_otherwise() {
    let mut boot = boot("257.13", false);
    boot.loader.image.hashed_otherwise = true;
    let ask = |pcr| Ask {
        pcrs: vec![pcr],
        ..Ask::default()
    };
    let refused = predict(&boot, &ask(4)).unwrap_err();
    assert!(
        matches!(refused, PredictError::HashedOtherwise { .. }),
        "{refused}"
    );
    assert!(predict(&boot, &ask(9)).is_ok());
}

#[test]
fn refuses_a_bank_in_which_an_image_was_not_hashed() {
    let ask = Ask {
        pcrs: vec![4],
        banks: vec![Bank::Sha384],
        ..Ask::default()
    };
    assert!(matches!(
        predict(&boot("257.1", true), &ask),
        Err(PredictError::NoDigest {
            bank: Bank::Sha384,
            ..
        })
    ));
}

#[test]
fn refuses_a_question_for_nothing() {
    for ask in [
        Ask {
            pcrs: Vec::new(),
            ..Ask::default()
        },
        Ask {
            banks: Vec::new(),
            ..Ask::default()
        },
    ] {
        assert_eq!(
            predict(&boot("257.1", true), &ask),
            Err(PredictError::NothingAsked)
        );
    }
}

#[test]
fn refuses_loader_and_stub_that_were_never_compared_together() {
    let mut mixed = boot("257.1", true);
    mixed.loader.version =
        Version::of_sdmagic(Component::Boot, b"#### LoaderInfo: systemd-boot 252.1 ####").unwrap();
    assert!(matches!(
        predict(&mixed, &ask(11)),
        Err(PredictError::Mixture { .. })
    ));
}

#[test]
fn writes_what_the_command_line_promises() {
    let prediction = predict(&boot("257.1", true), &Ask::default()).unwrap();
    let json = serde_json::to_value(&prediction).unwrap();
    assert_eq!(json["leaves"][0]["pcrs"]["12"]["sha256"], "0".repeat(64));
    assert_eq!(json["leaves"][0]["measurements"][0]["pcr"], 4);
    assert!(json["assumptions"][0].as_str().unwrap().ends_with('.'));
    assert_eq!(
        serde_json::from_value::<Prediction>(json).unwrap(),
        prediction
    );
}

#[test]
fn makes_each_value_out_of_the_measurements_beside_it() {
    for version in ["252.1", "257.1", "262.1"] {
        for leaf in predict(&boot(version, false), &Ask::default())
            .unwrap()
            .leaves
        {
            for (pcr, value) in replay(Bank::Sha256, &leaf.measurements) {
                assert_eq!(leaf.pcrs[&pcr][&Bank::Sha256], value);
            }
        }
    }
}
