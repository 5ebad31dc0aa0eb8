//! What a TPM signs.

use super::{Tpm, documented, hex};
use crate::support::{Work, assert_same_bytes};

#[test]
fn the_same_rsa_key_in_a_file_and_in_a_tpm_gives_the_same_bytes() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    let tpm = Tpm::of(work);
    for bits in ["2048", "3072"] {
        tpm.done(&format!(
            "openssl req -x509 -newkey rsa:{bits} -nodes -keyout {bits}.key -subj /CN={bits} -days 30 -out {bits}.crt 2>openssl.stderr
            primary
            tpm2_import --quiet --parent-context=primary.ctx --key-algorithm=rsa --input={bits}.key --public={bits}.pub --private={bits}.priv
            flush
            persist {bits} 0x8101{bits}
            encode {bits}
            touch empty
            for digest in sha256 sha384; do
                sign $digest-handle {bits}.crt tpm2:handle=0x8101{bits} --digest $digest
                sign $digest-file {bits}.crt 'tpm2:file={bits}.pem;auth-source=empty' --digest $digest
                $TOUCHSTONE pe sign addon --key {bits}.key --certificate {bits}.crt --output $digest-key.efi --digest $digest
            done
            for key in \"tpm2:handle=0x8101{bits};tcti=$TCTI\" {bits}.key; do
                $TOUCHSTONE uki build --stub stub --linux vmlinuz --initrd initrd --key \"$key\" --certificate {bits}.crt --output uki.efi
                mv uki.efi uki-${{key%%:*}}.efi
            done"
        ));
        for digest in ["sha256", "sha384"] {
            let expected = tpm.work.read(&format!("{digest}-key.efi"));
            for place in ["handle", "file"] {
                let signed = tpm.work.read(&format!("{digest}-{place}.efi"));
                assert_same_bytes(&format!("{bits} {digest} {place}"), &signed, &expected);
            }
        }
        assert_same_bytes(
            "a UKI",
            &tpm.work.read("uki-tpm2.efi"),
            &tpm.work.read(&format!("uki-{bits}.key.efi")),
        );
        assert!(tpm.is_accepted(&format!("{bits}.crt"), "uki-tpm2.efi"));
        tpm.done("rm *.efi");
    }
}

#[test]
fn keys_that_openssl_made_in_the_tpm_sign() {
    let tpm = Tpm::new();
    tpm.done(
        "printf 'tomato-7\\nnot read\\n' >auth
        openssl genpkey -provider tpm2 -algorithm RSA -pkeyopt bits:2048 -out rsa.pem
        openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-256 -out p256.pem
        openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-384 -out p384.pem
        openssl genpkey -provider tpm2 -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:tomato-7 -out auth.pem
        for key in rsa p256 p384; do
            certificate $key.pem $key.crt
            sign $key $key.crt tpm2:file=$key.pem
            sign $key-384 $key.crt tpm2:file=$key.pem --digest sha384
        done
        certificate auth.pem auth.crt -passin pass:tomato-7
        sign auth auth.crt 'tpm2:file=auth.pem;auth-source=auth'
        openssl asn1parse -in p256.pem -out der -noout
        sign der p256.crt tpm2:file=der",
    );
    for (certificate, file) in [
        ("rsa.crt", "rsa.efi"),
        ("p256.crt", "p256.efi"),
        ("p384.crt", "p384.efi"),
        ("auth.crt", "auth.efi"),
        ("p256.crt", "der.efi"),
    ] {
        assert!(tpm.is_accepted(certificate, file), "{file}");
    }
    for key in ["rsa", "p256", "p384"] {
        let (certificate, file) = (format!("{key}.crt"), format!("{key}-384.efi"));
        assert!(tpm.osslsigncode_accepts(&certificate, &file), "{file}");
    }
    assert!(!tpm.is_accepted("p384.crt", "p256.efi"));
}

#[test]
fn keys_that_tpm2_tools_made_sign() {
    let tpm = Tpm::new();
    tpm.done(
        "echo tomato-7 >auth
        primary
        create rsa rsa3072 'sign|userwithauth' --key-auth=tomato-7
        persist rsa 0x81010001
        create p256 ecc256 'sign|userwithauth|noda' --key-auth=tomato-7
        persist p256 0x81010002
        create p384 ecc384:ecdsa-sha384 'sign|userwithauth'
        persist p384 0x81010003
        certificate 'handle:0x81010001?pass' rsa.crt -passin pass:tomato-7
        certificate 'handle:0x81010002?pass' p256.crt -passin pass:tomato-7
        certificate handle:0x81010003 p384.crt -sha384
        sign rsa rsa.crt 'tpm2:handle=0x81010001;auth-source=auth'
        sign p256 p256.crt 'tpm2:handle=0x81010002;auth-source=auth'
        sign p384 p384.crt tpm2:handle=0x81010003 --digest sha384
        sign rsa-again rsa.crt 'tpm2:handle=0x81010001;auth-source=auth'
        sign p256-again p256.crt 'tpm2:handle=0x81010002;auth-source=auth'
",
    );
    assert_eq!(tpm.work.read("rsa.efi"), tpm.work.read("rsa-again.efi"));
    assert_ne!(tpm.work.read("p256.efi"), tpm.work.read("p256-again.efi"));
    assert!(tpm.is_accepted("rsa.crt", "rsa.efi"));
    assert!(tpm.is_accepted("p256.crt", "p256.efi"));
    assert!(tpm.osslsigncode_accepts("p384.crt", "p384.efi"));
}

/// Under an RSA primary, as `rsaParent` says, and under a persistent object.
#[test]
fn keys_under_every_parent_that_a_file_can_name_sign() {
    let tpm = Tpm::new();
    tpm.done(
        "primary rsa2048:aes128cfb
        create rsa ecc256 'sign|userwithauth'
        encode rsa
        openssl asn1parse -in rsa.pem -out rsa.der -noout
        primary ecc384:aes256cfb
        tpm2_evictcontrol --quiet --hierarchy=o --object-context=primary.ctx 0x81000007
        flush
        create held ecc256 'sign|userwithauth'
        persist held 0x81010001
        encode held 0x81000007
        certificate handle:0x81010001 held.crt
        touch empty
        sign held held.crt 'tpm2:file=held.pem;auth-source=empty'",
    );
    assert!(tpm.is_accepted("held.crt", "held.efi"));
    tpm.work
        .write("rsa.der", with_rsa_parent(tpm.work.read("rsa.der")));
    tpm.done(
        "touch empty
        primary rsa2048:aes128cfb
        persist rsa 0x81010002
        certificate handle:0x81010002 rsa.crt
        sign rsa rsa.crt 'tpm2:file=rsa.der;auth-source=empty'",
    );
    assert!(tpm.is_accepted("rsa.crt", "rsa.efi"));
}

/// The key file, which says now that its parent is an RSA key: no peer writes that.
fn with_rsa_parent(mut der: Vec<u8>) -> Vec<u8> {
    let owner = [2, 4, 0x40, 0, 0, 1];
    let parent = der.windows(6).position(|bytes| bytes == owner).unwrap();
    der.splice(parent..parent, [0xa5, 3, 1, 1, 0xff]);
    // The length of the whole, in one byte.
    assert_eq!(der[..2], [0x30, 0x81]);
    der[2] += 5;
    der
}

#[test]
fn the_authorization_value_does_not_cross_the_bus_and_nothing_stays_in_the_tpm() {
    let tpm = Tpm::new();
    tpm.done(
        "echo tomato-7 >auth
        primary
        create key ecc256 'sign|userwithauth' --key-auth=tomato-7
        persist key 0x81010001
        encode key
        certificate 'handle:0x81010001?pass' key.crt -passin pass:tomato-7",
    );
    // Who makes a key says its value: the bus is really seen.
    assert!(tpm.bus("tpm").contains(&hex("tomato-7")));
    let left = tpm.done(
        "sign handle key.crt 'tpm2:handle=0x81010001;auth-source=auth'
        sign file key.crt 'tpm2:file=key.pem;auth-source=auth'
        echo wrong >wrong
        refused wrong key.crt 'tpm2:file=key.pem;auth-source=wrong'
        tpm2_getcap handles-transient
        tpm2_getcap handles-loaded-session
        tpm2_getcap handles-saved-session",
    );
    assert_eq!(left, "");
    assert!(tpm.is_accepted("key.crt", "handle.efi"));
    assert!(tpm.is_accepted("key.crt", "file.efi"));
    assert_eq!(tpm.text("wrong.code"), "1\n");
    let bus = tpm.bus("tpm");
    assert!(bus.contains("81010001"));
    assert!(!bus.contains(&hex("tomato-7")));
    assert!(!bus.contains(&hex("wrong")));
}

#[test]
fn updates_of_variables_and_requests_are_signed_with_such_a_key_too() {
    let tpm = Tpm::new();
    tpm.work.keys("keys");
    tpm.done(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout file.key -subj /CN=file -days 30 -out file.crt 2>openssl.stderr
        primary
        tpm2_import --quiet --parent-context=primary.ctx --key-algorithm=rsa --input=file.key --public=key.pub --private=key.priv
        flush
        persist key 0x81010001
        update() {
            $TOUCHSTONE keys auth keys/db.esl --variable db --time 2026-01-31T12:00:00Z --key \"$1\" --certificate file.crt --output $2.auth 2>$2.stderr
        }
        update file.key file
        update \"tpm2:handle=0x81010001;tcti=$TCTI\" tpm
        run() {
            key=\"tpm2:handle=$1;tcti=$TCTI\"
            echo '{\"operation\":\"pe.sign\",\"file\":\"addon\",\"output\":\"'$2'.efi\",\"sign\":{\"key\":\"'$key'\",\"certificate\":\"file.crt\"}}' >request
            $TOUCHSTONE run request >$2.stdout 2>$2.stderr
        }
        run 0x81010001 requested
        code=0
        run 0x81010002 empty || code=$?
        echo $code >empty.code",
    );
    assert_same_bytes(
        "db",
        &tpm.work.read("tpm.auth"),
        &tpm.work.read("file.auth"),
    );
    assert!(tpm.is_accepted("file.crt", "requested.efi"));
    tpm.assert_refused("empty", "key.missing", "nothing is under this handle");
}

#[test]
fn the_commands_of_the_documentation_sign() {
    let tpm = Tpm::new();
    std::fs::rename(tpm.work.path("addon"), tpm.work.path("loader.efi")).unwrap();
    // Without a resource manager, each command is followed by what one does.
    let mut script = String::from(
        "touchstone() { \"$TOUCHSTONE\" \"$@\" 2>touchstone.stderr; }
        openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key -subj /CN=old -days 30 -out old.crt 2>openssl.stderr\n",
    );
    for command in documented().replace("\\\n", " ").lines() {
        let words =
            command
                .split(' ')
                .map(|word| match word.trim_matches('\'').strip_prefix("tpm2:") {
                    Some(name) => format!("\"tpm2:{name};tcti=$TCTI\""),
                    None => word.to_owned(),
                });
        script += &words.collect::<Vec<_>>().join(" ");
        script += "\nflush\n";
    }
    tpm.done(&script);
    for (certificate, file) in [
        ("handle.crt", "signed-by-handle.efi"),
        ("file.crt", "signed-by-file.efi"),
        ("old.crt", "signed-by-old.efi"),
    ] {
        assert!(tpm.is_accepted(certificate, file), "{file}");
    }
}
