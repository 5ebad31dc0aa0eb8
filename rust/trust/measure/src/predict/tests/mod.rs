use touchstone_sign::esl::{self, Signature, SignatureList};
use uuid::Uuid;

use super::*;
use crate::boot_path::{
    Authority, BootPath, Companions, Loader, Program, Smbios, StartedImage, Uki, Variables,
    Vouching,
};
use crate::hash::Digests;
use crate::measured::MeasuredUki;
use crate::uki::UkiMeasurer;
use crate::uki::tests::show;
use crate::utf16;
use crate::version::{Component, Version};

mod beside;
mod firmware;
mod identity;
mod os_separator;
mod refusals;
mod registers;

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

/// An entry of db.
fn entry(owner: u128) -> Authority {
    Authority {
        owner: Uuid::from_u128(owner),
        data: vec![1, 2, 3],
    }
}

/// An image that will be signed by that entry.
fn promised(owner: u128) -> Vouching {
    Vouching::Promised(entry(owner))
}

/// The list with that entry alone.
fn db_of(owner: u128) -> Vec<u8> {
    let list = SignatureList {
        kind: esl::X509,
        header: Vec::new(),
        signatures: vec![Signature {
            owner: entry(owner).owner,
            data: entry(owner).data,
        }],
    };
    list.to_bytes().unwrap()
}

fn boot(version: &str, secure_boot: bool) -> BootPath {
    boot_of(version, secure_boot, uki_of(version, &PLAIN))
}

fn boot_of(version: &str, secure_boot: bool, measured: MeasuredUki) -> BootPath {
    let image = |name: &str| StartedImage {
        name: name.to_owned(),
        authenticode: Digests::of(&SHA256, name.as_bytes()),
        vouching: promised(1),
    };
    let magic = format!("#### LoaderInfo: systemd-boot {version} ####");
    BootPath {
        path: vec!["generation 1".into()],
        variables: Variables {
            pk: vec![1],
            kek: vec![2],
            db: [db_of(1), db_of(2)].concat(),
            dbx: Vec::new(),
            dbt: Vec::new(),
            secure_boot,
        },
        medium: None,
        firmware: None,
        failed_exits: 0,
        identity: None,
        shim: None,
        loader: Some(Loader {
            image: image("loader"),
            version: Version::of_sdmagic(Component::Boot, magic.as_bytes()).unwrap(),
            configuration: None,
        }),
        program: Program::Uki(Box::new(Uki {
            image: image("uki"),
            measured,
            kernel: Some(Digests::of(&SHA256, b"kernel")),
            extra: Companions::default(),
            profile: None,
            device_tree: None,
            content: None,
        })),
        shared: Companions::default(),
        smbios: Smbios::default(),
        no_boot_secret: true,
    }
}

fn loader(boot: &mut BootPath) -> &mut Loader {
    boot.loader.as_mut().unwrap()
}

fn uki(boot: &mut BootPath) -> &mut Uki {
    match &mut boot.program {
        Program::Uki(uki) => uki,
        Program::Linux(_) => panic!("no UKI"),
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
