//! Values of PCR 11, and the sections that speak of them.

use std::fs;

use serde_json::json;
use touchstone_agent::judge::{ApprovedPolicies, Client, Judge};
use touchstone_artifacts::signing_key::SignatureDigest::Sha256 as SHA256;
use touchstone_measure::policy::{PcrSignatures, PcrValues, PolicyDigest, Proof, SignedDigest};
use touchstone_measure::{Bank, PhasePath, measure_uki};
use touchstone_pe::Image;
use touchstone_sign::keys::{KeyAlgorithm, KeyRequest, generate};
use touchstone_sign::{FileSigner, Signer};

use crate::uki::Uki;
use crate::world::{World, key, refused};

fn phase(text: &str) -> PhasePath {
    text.parse().unwrap()
}

struct Keys {
    world: World,
    own: FileSigner,
    foreign: FileSigner,
}

impl Keys {
    fn new() -> Keys {
        let keys = Keys {
            world: World::new(),
            own: signer(),
            foreign: signer(),
        };
        fs::write(keys.world.path("pcr.pub"), public(&keys.own)).unwrap();
        keys
    }

    fn judge(&self) -> Judge {
        let public = self.world.path("pcr.pub");
        let operation = json!({ "pcrPolicy": {
            "key": "pcr", "image": "system", "banks": ["sha256", "sha384"], "phases": ["enter-initrd", "enter-initrd:leave-initrd"], "policyRefs": ["fleet"]
        } });
        self.world.judge(&[
            (
                "/keys/pcr",
                json!({ "kind": "pcr", "key": "tpm2:handle=0x81000001", "publicKey": public }),
            ),
            ("/images/system/uki/pcrKeys", json!(["pcr"])),
            ("/rules/0/operations/-", operation),
        ])
    }
}

fn signer() -> FileSigner {
    let request = KeyRequest {
        common_name: "pcr",
        algorithm: KeyAlgorithm::Rsa2048,
        not_before: 0,
        not_after: 1,
        test: true,
    };
    FileSigner::new(generate(&request).unwrap().key_pem.as_bytes()).unwrap()
}

fn public(signer: &FileSigner) -> Vec<u8> {
    signer.public_key().to_pem().unwrap().into_bytes()
}

/// `.pcrsig` of approved policies.
fn signatures(approved: &[(Bank, PolicyDigest)], signer: &dyn Signer) -> String {
    let mut signatures = PcrSignatures::default();
    for (bank, policy) in approved {
        signatures.add(
            *bank,
            SignedDigest::new(vec![11], *policy, None, Proof::Signed(signer)).unwrap(),
        );
    }
    signatures.to_section()
}

fn asked(judge: &Judge, client: &Client, uki: &Uki) -> ApprovedPolicies {
    let phases = [phase("enter-initrd:leave-initrd"), phase("enter-initrd")];
    judge
        .pcrs(
            client,
            &key("pcr"),
            &[Bank::Sha384, Bank::Sha256],
            &phases,
            None,
            &uki.file(),
        )
        .unwrap()
}

#[test]
fn computes_the_policies_of_each_profile_itself() {
    let keys = Keys::new();
    let world = &keys.world;
    let web = world.build("web");
    let judge = keys.judge();
    let client = world.client(&judge, &world.asking("web"));
    let line = Uki::of(world, &web).cmdline.unwrap();
    let uki = Uki {
        pcrpkey: Some(public(&keys.own)),
        ..Uki::of(world, &web)
    };
    let uki = uki.profile("debug", format!("{line} loglevel=7"));
    let approved = asked(&judge, &client, &uki);
    assert_eq!(
        (approved.key(), approved.rule(), approved.reference()),
        (&key("pcr"), "web", None)
    );

    let mut image = uki.file();
    let parsed = Image::read(&mut image).unwrap();
    let measured = measure_uki(&parsed, &mut image, &[Bank::Sha256, Bank::Sha384]).unwrap();
    assert_eq!(approved.profiles().len(), 2);
    for (number, profile) in approved.profiles().iter().enumerate() {
        let mut wanted = Vec::new();
        for bank in [Bank::Sha256, Bank::Sha384] {
            for text in ["enter-initrd", "enter-initrd:leave-initrd"] {
                let value = measured.pcr11_of(number, bank, &phase(text)).unwrap();
                let values = PcrValues::of_bank(bank, &[(11, value)].into()).unwrap();
                wanted.push((
                    bank,
                    PolicyDigest::start(Bank::Sha256).unwrap().pcr(&values),
                ));
            }
        }
        assert_eq!(*profile, wanted, "in the order of systemd-measure");
    }
    assert_ne!(approved.profiles()[0], approved.profiles()[1]);
    // What stands in `.pcrsig` meanwhile does not matter, for it is not measured.
    let blank = Uki {
        pcrsig: Some("nothing yet".to_owned()),
        ..uki.clone()
    };
    assert_eq!(
        asked(&judge, &client, &blank).profiles(),
        approved.profiles()
    );

    let ask = |banks: &[Bank], phases: &[PhasePath], reference| {
        judge.pcrs(&client, &key("pcr"), banks, phases, reference, &uki.file())
    };
    let entered = [phase("enter-initrd")];
    assert_eq!(
        ask(&[Bank::Sha256], &entered, Some("fleet"))
            .unwrap()
            .reference(),
        Some("fleet")
    );
    refused(
        ask(&[Bank::Sha256], &entered, Some("other")),
        "policy.moment",
        "policy reference",
    );
    refused(
        ask(&[Bank::Sha1], &entered, None),
        "policy.moment",
        "the bank sha1",
    );
    refused(
        ask(&[Bank::Sha256], &[PhasePath::none()], None),
        "policy.moment",
        "the phase ``",
    );
    refused(ask(&[], &entered, None), "policy.moment", "no bank");
    refused(
        ask(&[Bank::Sha256], &[], None),
        "policy.moment",
        "no bank, or no phase",
    );
    // The image is held against the same constraints.
    let evil = uki.clone().cmdline(format!("{line} init=/bin/sh"));
    refused(
        judge.pcrs(
            &client,
            &key("pcr"),
            &[Bank::Sha256],
            &entered,
            None,
            &evil.file(),
        ),
        "image.commandLine",
        "more than once",
    );
    refused(
        judge.pcrs(
            &client,
            &key("db"),
            &[Bank::Sha256],
            &entered,
            None,
            &uki.file(),
        ),
        "policy.operation",
        "does not sign that",
    );
}

#[test]
fn an_image_carries_no_foreign_key_and_no_signature_of_anything_else() {
    let keys = Keys::new();
    let world = &keys.world;
    let web = world.build("web");
    let judge = keys.judge();
    let client = world.client(&judge, &world.asking("web"));
    let sign = |uki: &Uki| judge.image(&client, &key("db"), SHA256, &uki.file());
    let bare = Uki::of(world, &web);
    let uki = Uki {
        pcrpkey: Some(public(&keys.own)),
        ..bare.clone()
    };
    sign(&uki).unwrap();
    let foreign = Uki {
        pcrpkey: Some(public(&keys.foreign)),
        ..bare.clone()
    };
    refused(sign(&foreign), "image.pcrKey", "none of the keys");
    refused(
        sign(&Uki {
            pcrpkey: Some(b"nothing".to_vec()),
            ..bare.clone()
        }),
        "image.pcrKey",
        "none of the keys",
    );

    // Whoever looks for the first line that begins a key finds another one than whoever looks for a block that is whole.
    let (foreign, own) = (public(&keys.foreign), public(&keys.own));
    let comment = |word: &str| format!("# -----{word} X-----\n").into_bytes();
    for both in [
        [
            comment("BEGIN"),
            foreign.clone(),
            comment("END"),
            own.clone(),
        ]
        .concat(),
        [own.clone(), foreign.clone()].concat(),
        [b"#\n".to_vec(), own.clone()].concat(),
        [own.clone(), b"\n".to_vec()].concat(),
    ] {
        refused(
            sign(&Uki {
                pcrpkey: Some(both),
                ..bare.clone()
            }),
            "image.pcrKey",
            "something beside it",
        );
    }

    let approved = asked(&judge, &client, &uki);
    let signed = |pcrsig: String| Uki {
        pcrsig: Some(pcrsig),
        ..uki.clone()
    };
    sign(&signed(signatures(&approved.profiles()[0], &keys.own))).unwrap();
    refused(
        sign(&signed(signatures(&approved.profiles()[0], &keys.foreign))),
        "image.pcrSignature",
        "none of the keys",
    );
    refused(sign(&signed("{".to_owned())), "image.pcrSignature", "");
    let good = signatures(&approved.profiles()[0], &keys.own);
    let twice = good.replacen('{', "{\"sha256\":[],", 1);
    refused(sign(&signed(twice)), "image.pcrSignature", "sha256");
    // Another image's answer, played again.
    let line = uki.cmdline.clone().unwrap();
    let other = uki.clone().cmdline(format!("{line} loglevel=7"));
    let others = asked(&judge, &client, &other);
    refused(
        sign(&signed(signatures(&others.profiles()[0], &keys.own))),
        "image.pcrSignature",
        "not of this image's PCR 11",
    );
}
