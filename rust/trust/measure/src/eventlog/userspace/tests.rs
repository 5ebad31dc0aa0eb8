use proptest::prelude::*;

use super::*;

/// A record as systemd 257 writes it, in one bank.
fn record(pcr: u32, bank: Bank, kind: &str, text: &str) -> String {
    let digest = bank.hash(text.as_bytes());
    format!(
        "\u{1e}{{\"pcr\":{pcr},\"digests\":[{{\"hashAlg\":\"{bank}\",\"digest\":\"{digest}\"}}],\"content_type\":\"systemd\",\"content\":{{\"string\":{},\"bootId\":\"00\",\"timestamp\":1,\"eventType\":\"{kind}\"}}}}\n",
        serde_json::Value::from(text)
    )
}

fn phase(text: &str) -> String {
    record(11, Bank::Sha256, "phase", text)
}

fn refusal(log: &str) -> UserspaceLogError {
    parse(log.as_bytes()).unwrap_err()
}

#[test]
fn phases_extend_what_the_firmware_left() {
    let log = [phase("enter-initrd"), phase("leave-initrd")].concat();
    let log = parse(log.as_bytes()).unwrap();
    let stub = Digest::zero(Bank::Sha256).extended(&Bank::Sha256.hash(b"stub"));
    let mut pcrs = BTreeMap::from([(11, stub)]);
    log.replay(Bank::Sha256, &mut pcrs);
    let expected = stub
        .extended(&Bank::Sha256.hash(b"enter-initrd"))
        .extended(&Bank::Sha256.hash(b"leave-initrd"));
    assert_eq!(pcrs, BTreeMap::from([(11, expected)]));
    assert_eq!(log.records[0].describe(), "the boot phase enter-initrd");
}

#[test]
fn a_bank_that_a_record_does_not_have_was_not_extended() {
    let log = [phase("a"), record(15, Bank::Sha1, "phase", "b")].concat();
    let log = parse(log.as_bytes()).unwrap();
    let mut pcrs = BTreeMap::new();
    log.replay(Bank::Sha256, &mut pcrs);
    assert!(pcrs.keys().eq(&[11]));
    assert!(log.has(Bank::Sha1) && !log.has(Bank::Sha512));
}

#[test]
fn an_nv_index_changes_no_register() {
    let log = phase("verity").replace("\"pcr\":11", "\"nv_index\":30474240");
    let log = parse(log.as_bytes()).unwrap();
    assert_eq!(log.records[0].target, Target::NvIndex(30_474_240));
    let mut pcrs = BTreeMap::new();
    log.replay(Bank::Sha256, &mut pcrs);
    assert!(pcrs.is_empty());
}

#[test]
fn what_is_no_sequence_of_records_is_refused() {
    assert_eq!(refusal(""), UserspaceLogError::Empty);
    assert_eq!(refusal("{}\n"), UserspaceLogError::NoSequence);
    for (text, fact) in [
        ("[]", "invalid"),
        ("{}", "missing field `digests`"),
        ("{\"pcr\":1,\"pcr\":2}", "duplicate field"),
        ("{\"pcr\":-1}", "invalid"),
    ] {
        let error = refusal(&format!("{}\u{1e}{text}\n", phase("a"))).to_string();
        assert!(
            error.starts_with("record 1 is not a measurement"),
            "{error}"
        );
        assert!(error.contains(fact), "{error}");
    }
    let twice = format!("\u{1e}{}", phase("a"));
    assert_eq!(parse(twice.as_bytes()).unwrap().records.len(), 1);
}

#[test]
fn a_log_that_is_cut_is_refused_at_every_byte_of_its_last_record() {
    let whole = [phase("a"), phase("b")].concat();
    let first = phase("a").len();
    // A separator alone is no record.
    for end in first + 2..whole.len() {
        let parsed = parse(&whole.as_bytes()[..end]);
        assert_eq!(
            parsed,
            Err(UserspaceLogError::Truncated { record: 1 }),
            "{end}"
        );
    }
}

#[test]
fn records_that_leave_open_what_was_extended_are_refused() {
    let with = |from: &str, to: &str| phase("a").replace(from, to);
    let pcr = "\"pcr\":11";
    assert_eq!(
        refusal(&with(pcr, "\"x\":1")),
        UserspaceLogError::Target { record: 0 }
    );
    assert_eq!(
        refusal(&with(pcr, "\"pcr\":1,\"nv_index\":2")),
        UserspaceLogError::Target { record: 0 }
    );
    assert_eq!(
        refusal(&with(pcr, "\"pcr\":24")),
        UserspaceLogError::Register { record: 0, pcr: 24 }
    );
    assert_eq!(
        refusal(&with(pcr, "\"pcr\":17")),
        UserspaceLogError::DynamicRegister { record: 0, pcr: 17 }
    );
    assert_eq!(
        refusal("\u{1e}{\"pcr\":1,\"digests\":[]}\n"),
        UserspaceLogError::NoDigest { record: 0 }
    );
    let bank = Bank::Sha256;
    assert_eq!(
        refusal(&with("\"digest\":\"", "\"digest\":\"00")),
        UserspaceLogError::Digest { record: 0, bank }
    );
    let one = "{\"hashAlg\":\"sm3_256\",\"digest\":\"00\"},";
    let twice = with("[{", &format!("[{one}{one}{{"));
    assert_eq!(
        refusal(&twice),
        UserspaceLogError::DuplicateDigest {
            record: 0,
            algorithm: "sm3_256".to_owned()
        }
    );
    let other = phase("b").replace("\"bootId\":\"00\"", "\"bootId\":\"01\"");
    assert_eq!(
        refusal(&[phase("a"), other].concat()),
        UserspaceLogError::OtherBoot { record: 1 }
    );
}

#[test]
fn a_text_that_was_not_hashed_is_found() {
    let lie = phase("ready").replace("\"string\":\"ready\"", "\"string\":\"sysinit\"");
    let log = parse(lie.as_bytes()).unwrap();
    assert_eq!(log.records[0].contradictions(), [Bank::Sha256]);
    let key = lie.replace("\"eventType\":\"phase\"", "\"eventType\":\"volume-key\"");
    assert!(
        parse(key.as_bytes()).unwrap().records[0]
            .contradictions()
            .is_empty()
    );
    let honest = parse(phase("ready").as_bytes()).unwrap();
    assert!(honest.records[0].contradictions().is_empty());
}

#[test]
fn texts_have_no_control_characters() {
    let log = parse(phase("a\u{1b}[31m\nb").as_bytes()).unwrap();
    assert_eq!(log.records[0].describe(), "the boot phase a [31m b");
    let foreign = phase("a").replace("\"systemd\"", "\"other\\u001b\"");
    assert_eq!(
        parse(foreign.as_bytes()).unwrap().records[0].describe(),
        "a record of other "
    );
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = parse(&bytes);
        let _ = parse(&[b"\x1e".as_slice(), &bytes, b"\n"].concat());
    }

    #[test]
    fn never_panics_on_a_changed_log(at in 0_usize..300, to: u8) {
        let mut log = [phase("a"), phase("b")].concat().into_bytes();
        if let Some(byte) = log.get_mut(at) {
            *byte = to;
        }
        if let Ok(log) = parse(&log) {
            for record in log.records {
                assert!(!record.describe().contains(char::is_control));
            }
        }
    }
}
