use super::*;

/// What Nix 2.26 says of paths that it made: content address, path, NAR hash, references.
const BY_NIX: [(&str, &str, &str, &[&str]); 9] = [
    // builtins.toFile
    (
        "text:sha256:1qk8b06d7jxmgknv5x60n9b5y9hp8nnz98126cpmp8y7y34vml16",
        "qyiban5iw6sd0xl4kihw5xk5vsw2fk5c-leaf",
        "sha256-6lrm/oitpmdhB1J7JoDcIEN+4P9afCdtsnDH5GUVO1A=",
        &[],
    ),
    (
        "text:sha256:03ga0y20cazs8n2fv47h1dw2ycjg8qhkmx539zlfn0hvivf4b0iw",
        "8a0di11lhhxm4yp3h96wkh4s4fadg0cs-two",
        "sha256-gVPUU0HhhRGOKGnXrVWBAegOGa73ZOQC0H7POGEIwBg=",
        &["qyiban5iw6sd0xl4kihw5xk5vsw2fk5c-leaf"],
    ),
    // nix store add-file
    (
        "fixed:sha256:094qif9n4cq4fdg459qzbhg1c6wywawwaaivx0k0x8xhbyx4vwic",
        "3fhdhfqli6qm669f7sz8d8v6xz24zrqc-hello",
        "sha256-CkMIecJm+LV/QJKg+TXPP6zUi7zN5XYNR0jKQFFx6Wk=",
        &[],
    ),
    // Derivations with outputHashMode = "flat".
    (
        "fixed:sha256:094qif9n4cq4fdg459qzbhg1c6wywawwaaivx0k0x8xhbyx4vwic",
        "6b85g51p855w09nph39ggvm5n5pcdnhh-flat256",
        "sha256-CkMIecJm+LV/QJKg+TXPP6zUi7zN5XYNR0jKQFFx6Wk=",
        &[],
    ),
    (
        "fixed:sha512:11w1pmwfdpz9pisbhp5qiv38q6dmidq2ipcqykw3p0sb6yrqcij79rwcwcjbxyzwbdal349qbxrncbk7pmd6snljrfpiwv2pljd4wcv",
        "4gcnhvblxy69wlrfwwfadiv164adf557-flat",
        "sha256-CkMIecJm+LV/QJKg+TXPP6zUi7zN5XYNR0jKQFFx6Wk=",
        &[],
    ),
    // nix store add-path
    (
        "fixed:r:sha256:1rbd5bzqwppfgl1zcm85k05lqdrp2xlbnhq6fhir0gld6l9vqxrk",
        "k363pfpph1pkyrnvliy2hd3627v0pcmb-tree",
        "sha256-M3e8EzWNPpAjdAZDu2gXNzdMC5gFVfYDfe5ejv8qbeU=",
        &[],
    ),
    // nix-store --add-fixed --recursive sha512
    (
        "fixed:r:sha512:13rmjl66gyrqzijfqcc47a0k4b6lk2prk4w3bd6dzy4d4hnxl08dhg9qwsxjlv3y64c1m53p7kvhg7nm1ibbar48l2p20rqz0k87hd3",
        "q4c5bj3wj8s0aj4kxq4qfsvbbj6bhqay-tree",
        "sha256-M3e8EzWNPpAjdAZDu2gXNzdMC5gFVfYDfe5ejv8qbeU=",
        &[],
    ),
    // nix store make-content-addressed
    (
        "fixed:r:sha256:1fhd60v61bss8qp9gzc5f9k5s810gs2vcy8k02f1lw7fcncxcigm",
        "1d70b80gqw5816hawjcp2v6mkyq4a1mf-selfish",
        "sha256-rlxmM0Njp2Exz17d6ACMoeDpBIkKJL7llp1MOrqoGLQ=",
        &["1d70b80gqw5816hawjcp2v6mkyq4a1mf-selfish"],
    ),
    (
        "fixed:r:sha256:055bh72b7jbk4gcsdh81378xkpi1q4z29b7mma8786dszgg4jxa1",
        "xg4sq143b1jq1cvp1i524jybsz865729-user",
        "sha256-1FgPJ6QGlhyme5JjNdbv4d+pO2v3IM4ic7vcCMle50s=",
        &[
            "1d70b80gqw5816hawjcp2v6mkyq4a1mf-selfish",
            "xg4sq143b1jq1cvp1i524jybsz865729-user",
        ],
    ),
];

fn path(base: &str) -> crate::StorePath {
    crate::StorePath::parse(&format!("{STORE_DIR}/{base}")).unwrap()
}

fn entries() -> Vec<Entry> {
    let entry = |(address, base, hash, references): (&str, &str, &str, &[&str])| Entry {
        path: path(base),
        nar_hash: hash.parse().unwrap(),
        nar_size: 120,
        references: references.iter().copied().map(path).collect(),
        ca: Some(address.parse().unwrap()),
        signatures: Default::default(),
    };
    BY_NIX.into_iter().map(entry).collect()
}

fn addressed(entry: &Entry) -> Result<Proof, AddressError> {
    entry.addressed().unwrap()
}

#[test]
fn makes_every_path_that_nix_made() {
    let entries = entries();
    let (proven, itself) = entries.split_at(7);
    let proofs: Vec<Proof> = proven.iter().map(|e| addressed(e).unwrap()).collect();
    for flat in &proofs[..5] {
        assert!(matches!(flat, Proof::Flat(_)), "{flat:?}");
    }
    assert!(matches!(proofs[4], Proof::Flat(Digest::Sha512(_))));
    assert_eq!(proofs[5], Proof::Nar);
    assert!(matches!(proofs[6], Proof::Whole(Digest::Sha512(_))));
    // The name is right, and says too little.
    for entry in itself {
        assert!(matches!(addressed(entry), Err(AddressError::Itself(_))));
    }
    // The content of what was addressed flat.
    let hello = Digest::Sha256(Sha256::digest("hello").into());
    assert_eq!(proofs[2], Proof::Flat(hello));
}

#[test]
fn another_name_reference_or_hash_is_another_path() {
    for good in entries() {
        let renamed = path(&format!("{}-x", good.path.base_name()));
        let (swap, to) = (good.path.clone(), renamed.clone());
        let of_itself = move |reference: crate::StorePath| match reference == swap {
            true => to.clone(),
            false => reference,
        };
        let references = good.references.iter().cloned().map(of_itself).collect();
        let other = Entry {
            path: renamed,
            references,
            ..good.clone()
        };
        assert!(
            matches!(addressed(&other), Err(AddressError::OtherPath { .. })),
            "{other:?}"
        );

        let mut more = good.clone();
        more.references
            .insert(path("00000000000000000000000000000000-more"));
        assert!(
            matches!(
                addressed(&more),
                Err(AddressError::OtherPath { .. } | AddressError::References(_))
            ),
            "{more:?}"
        );
        let mut itself = good.clone();
        if !itself.references.remove(&good.path) {
            itself.references.insert(good.path.clone());
        }
        assert!(addressed(&itself).is_err(), "{itself:?}");
    }
    // The address is the NAR's hash, so that the NAR must have it.
    let mut nar = entries().swap_remove(5);
    nar.nar_hash = NarHash::new([0; 32]);
    assert!(matches!(addressed(&nar), Err(AddressError::OtherNar(_))));
}

#[test]
fn weak_unknown_and_misspelled_addresses_prove_nothing() {
    let mut entry = entries().swap_remove(2);
    for unsafe_one in [
        "fixed:sha1:9m1skbnr5i43n3yypvda5s65vhfwdx5a",
        "fixed:md5:0000000000000000000000000",
        "fixed:git:sha1:9m1skbnr5i43n3yypvda5s65vhfwdx5a",
        "fixed:git:sha256:094qif9n4cq4fdg459qzbhg1c6wywawwaaivx0k0x8xhbyx4vwic",
        "text:sha512:1",
        "sha256:1",
        "fixed:r:",
        "x",
    ] {
        entry.ca = Some(unsafe_one.parse().unwrap());
        assert!(
            matches!(addressed(&entry), Err(AddressError::Method(_))),
            "{unsafe_one}"
        );
    }
    for misspelled in [
        "fixed:sha256:",
        "fixed:sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "fixed:sha256:z94qif9n4cq4fdg459qzbhg1c6wywawwaaivx0k0x8xhbyx4vwic",
        "fixed:sha256:e94qif9n4cq4fdg459qzbhg1c6wywawwaaivx0k0x8xhbyx4vwic",
    ] {
        entry.ca = Some(misspelled.parse().unwrap());
        assert!(
            matches!(addressed(&entry), Err(AddressError::Hash { .. })),
            "{misspelled}"
        );
    }
    entry.ca = None;
    assert_eq!(entry.addressed(), None);
}
