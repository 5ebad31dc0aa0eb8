//! What the builder refuses.

use crate::real_nix::RealNix;
use crate::shorthand::words;

/// A build is refused with the program's own error, and its output does not exist.
#[test]
fn the_builder_refuses_as_the_command_line_does() {
    let nix = RealNix::new();
    let request = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=real",
        "-days",
        "9",
        "-keyout",
        "keys/real.key",
        "-out",
        "keys/real.pem",
    ];
    assert!(nix.work.debian("openssl", &request).status.success());
    let refused = |attribute: &str| -> String {
        let arguments = [
            nix.expressions(),
            words(["-A", &format!("refused.{attribute}")]),
        ];
        let failed = nix.store("store").build(arguments.concat()).unwrap_err();
        format!("{failed:#}")
    };
    for (attribute, facts) in [
        (
            "realKey",
            ["a private key must not enter a Nix build", "[key.refused]"],
        ),
        ("keyAsPath", ["sign.key is a Nix path", "as a string"]),
        (
            "passphraseAsPath",
            ["sign.passphraseFile is a Nix path", "as a string"],
        ),
        (
            "pcrKeyWithoutCertificate",
            [
                "no certificate says that this one is a test key",
                "[key.refused]",
            ],
        ),
        ("pcrKeyAsPath", ["sign.key is a Nix path", "as a string"]),
        (
            "requestsByAgent",
            [
                "signRequests: sign.key is a key of the signing agent (agent:db)",
                "Write `sign` of mkBootArtifacts",
            ],
        ),
        (
            "pcrRequestsByAgent",
            [
                "signRequests: signPcrs.key is a key of the signing agent (agent:db)",
                "Write `pcrSign` of mkBootArtifacts",
            ],
        ),
        (
            "policyByAgent",
            [
                "signPolicy: sign.key is a key of the signing agent (agent:db)",
                "Write `pcrSign` of mkUki or mkBootArtifacts",
            ],
        ),
        (
            "updateByAgent",
            [
                "signUpdate: sign.key is a key of the signing agent (agent:db)",
                "Write `detached`",
            ],
        ),
        ("unknownAttribute", ["cmdlien", "[request.malformed]"]),
        (
            "missingInitrd",
            ["the initrd cannot be read", "/missing-initrd"],
        ),
    ] {
        let said = refused(attribute);
        assert!(
            facts.iter().all(|fact| said.contains(fact)),
            "{attribute}: {said}"
        );
        assert!(!said.contains("PRIVATE KEY"), "{attribute}");
    }
}
