//! Keys that do not sign: each failure has its own code, writes nothing and shows no authorization value.

use super::Tpm;

/// What no output may contain.
const SECRETS: [&str; 2] = ["tomato-7", "cucumber-8"];

impl Tpm {
    /// What `refused NAME …` in a script left: exit status 1, one error with this code and these words, and nothing else.
    #[track_caller]
    pub(super) fn assert_refused(&self, name: &str, code: &str, words: &str) {
        let said = self.text(&format!("{name}.stderr"));
        assert_eq!(self.text(&format!("{name}.code")), "1\n", "{name}: {said}");
        assert_eq!(self.text(&format!("{name}.stdout")), "", "{name}");
        assert!(!self.work.path(&format!("{name}.efi")).exists(), "{name}");
        let mut lines = said.lines().filter(|line| *line != "touchstone: signing");
        let error = lines.next().unwrap_or_default();
        assert!(
            error.starts_with("touchstone: error: ") && error.ends_with(&format!("[{code}]")),
            "{name}: {said}"
        );
        assert!(error.contains(words), "{name}: {said}");
        let more: Vec<_> = lines.map(|line| line.get(..8)).collect();
        assert_eq!(more, [Some("  file: "), Some("  help: ")], "{name}: {said}");
        for secret in SECRETS {
            assert!(!said.contains(secret), "{name}: {said}");
        }
    }
}

#[test]
fn a_wrong_or_missing_authorization_value_is_refused() {
    let tpm = Tpm::new();
    tpm.done(
        "echo tomato-7 >auth; echo cucumber-8 >wrong; touch empty
        printf '%0100d\\n' 7 >long
        primary
        create key ecc256 'sign|userwithauth|noda' --key-auth=tomato-7
        persist key 0x81010001
        encode key
        certificate 'handle:0x81010001?pass' key.crt -passin pass:tomato-7
        for place in handle=0x81010001 file=key.pem; do
            for auth in wrong empty long absent; do
                refused ${place%%=*}-$auth key.crt \"tpm2:$place;auth-source=$auth\"
            done
            refused ${place%%=*}-none key.crt tpm2:$place
        done
        sign right key.crt 'tpm2:handle=0x81010001;auth-source=auth'",
    );
    for place in ["handle", "file"] {
        for (auth, code, words) in [
            ("wrong", "key.wrong-secret", "the TPM does not count this"),
            ("long", "key.wrong-secret", "at most 32 bytes"),
            ("empty", "key.secret-needed", "none was given"),
            ("none", "key.secret-needed", "none was given"),
            ("absent", "input.unreadable", "authorization value"),
        ] {
            tpm.assert_refused(&format!("{place}-{auth}"), code, words);
        }
    }
}

#[test]
fn a_tpm_in_lockout_refuses_the_right_value_too() {
    let tpm = Tpm::new();
    tpm.done(
        "echo tomato-7 >auth; echo cucumber-8 >wrong
        primary
        create key ecc256 'sign|userwithauth' --key-auth=tomato-7
        persist key 0x81010001
        certificate 'handle:0x81010001?pass' key.crt -passin pass:tomato-7
        tpm2_dictionarylockout --setup-parameters --max-tries=1 --recovery-time=1000 --lockout-recovery-time=1000
        refused wrong key.crt 'tpm2:handle=0x81010001;auth-source=wrong'
        refused right key.crt 'tpm2:handle=0x81010001;auth-source=auth'
        tpm2_dictionarylockout --clear-lockout
        sign after key.crt 'tpm2:handle=0x81010001;auth-source=auth'",
    );
    tpm.assert_refused("wrong", "key.wrong-secret", "the TPM counts this");
    tpm.assert_refused("right", "key.lockout", "in lockout");
    assert!(tpm.is_accepted("key.crt", "after.efi"));
}

#[test]
fn a_tpm_or_key_that_is_not_there_is_refused() {
    let tpm = Tpm::new();
    tpm.work.keys("keys");
    tpm.done(
        "refused handle keys/db.pem tpm2:handle=0x81010001
        refused file keys/db.pem tpm2:file=absent
        mine=$TCTI
        TCTI=swtpm:host=127.0.0.1,port=9
        refused port keys/db.pem tpm2:handle=0x81010001
        TCTI=device:/dev/tpmrm0
        refused device keys/db.pem tpm2:handle=0x81010001
        TCTI=$mine
        primary
        tpm2_evictcontrol --quiet --hierarchy=o --object-context=primary.ctx 0x81000007
        flush
        create key ecc256 'sign|userwithauth'
        encode key 0x81000007
        tpm2_evictcontrol --quiet --hierarchy=o --object-context=0x81000007
        touch empty
        refused parent keys/db.pem 'tpm2:file=key.pem;auth-source=empty'
        encode key
        tpm2_changeauth --quiet --object-context=owner cucumber-8
        refused owner keys/db.pem 'tpm2:file=key.pem;auth-source=empty'",
    );
    tpm.assert_refused("handle", "key.missing", "nothing is under this handle");
    tpm.assert_refused("file", "input.unreadable", "signing key");
    tpm.assert_refused("port", "key.unreachable", "no TPM answers");
    tpm.assert_refused("device", "key.unreachable", "no TPM answers");
    tpm.assert_refused("parent", "key.missing", "0x81000007");
    tpm.assert_refused("owner", "key.secret-needed", "parent");
}

#[test]
fn a_key_that_cannot_sign_boot_files_is_refused() {
    let tpm = Tpm::new();
    tpm.work.keys("keys");
    let left = tpm.done(
        "primary
        touch empty
        create restricted rsa2048:rsassa:null 'sign|restricted|userwithauth'
        create decrypt rsa2048:rsaes:null 'decrypt|userwithauth'
        create policy ecc256 'sign'
        create pss rsa2048:rsapss:null 'sign|userwithauth'
        create p521 ecc521 'sign|userwithauth'
        create bound ecc256:ecdsa-sha256 'sign|userwithauth'
        create hmac hmac 'sign|userwithauth'
        for key in restricted decrypt policy pss p521 hmac; do
            encode $key
            refused $key keys/db.pem \"tpm2:file=$key.pem;auth-source=empty\"
            tpm2_getcap handles-transient
        done
        persist restricted 0x81010001
        refused handle keys/db.pem tpm2:handle=0x81010001
        persist bound 0x81010002
        certificate handle:0x81010002 bound.crt
        refused bound bound.crt tpm2:handle=0x81010002 --digest sha384
        sign right bound.crt tpm2:handle=0x81010002",
    );
    assert_eq!(left, "", "nothing stays in the TPM");
    for (name, words) in [
        ("restricted", "restricted"),
        ("handle", "restricted"),
        ("decrypt", "not for signing"),
        ("policy", "policy"),
        ("pss", "RSAPSS"),
        ("p521", "NistP521"),
        ("bound", "SHA-384"),
        ("hmac", "not for signing"),
    ] {
        tpm.assert_refused(name, "key.unsupported", words);
    }
}

#[test]
fn a_key_of_another_tpm_or_certificate_or_a_damaged_one_is_refused() {
    let tpm = Tpm::new();
    tpm.work.keys("keys");
    tpm.done(
        "openssl genpkey -provider tpm2 -algorithm RSA -pkeyopt bits:2048 -out key.pem
        certificate key.pem key.crt
        openssl asn1parse -in key.pem -out key.der -noout
        refused mismatch keys/db.pem tpm2:file=key.pem
        refused name key.crt 'tpm2:file=key.pem;auth=tomato-7'
        refused store key.crt 'tpm2:file=key.pem;auth-source=/nix/store/x/auth'
        refused passphrase key.crt tpm2:file=key.pem --passphrase-file key.crt
        refused other-pem key.crt tpm2:file=key.crt
        head -c 300 key.der >short
        refused short key.crt tpm2:file=short",
    );
    // A bit of the modulus: the name of the key is no longer that of the private half.
    let mut der = tpm.work.read("key.der");
    der[100] ^= 1;
    tpm.work.write("changed", der);
    tpm.done("refused changed key.crt tpm2:file=changed");
    tpm.done_beside("other", "refused foreign key.crt tpm2:file=key.pem");
    tpm.assert_refused("mismatch", "key.mismatch", "does not belong");
    tpm.assert_refused("name", "key.name", "`auth` is no attribute");
    tpm.assert_refused("store", "key.refused", "Nix store");
    tpm.assert_refused("passphrase", "key.refused", "passphrase");
    tpm.assert_refused("other-pem", "key.not-a-key", "CERTIFICATE");
    tpm.assert_refused("short", "key.damaged", "damaged");
    tpm.assert_refused("changed", "key.foreign", "did not make the key");
    tpm.assert_refused("foreign", "key.foreign", "did not make the key");
}
