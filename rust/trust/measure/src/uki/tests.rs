use super::*;
use crate::phase::PhasePath;

const MAGIC: &[u8] = b"#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####";

/// Shows a section to the measurer as reader and writer do.
pub(crate) fn show(measurer: &mut UkiMeasurer, name: &str, content: &[u8]) {
    measurer.begin(&Section {
        name: name.parse().unwrap(),
        virtual_size: content.len() as u32,
        virtual_address: 0,
        raw_size: content.len() as u32,
        raw_offset: 0,
        characteristics: 0,
    });
    // In two parts, as a stream would.
    let (front, back) = content.split_at(content.len() / 2);
    measurer.data(front);
    measurer.data(back);
    measurer.end();
}

fn measured(sections: &[(&str, &[u8])]) -> Result<MeasuredUki, UkiError> {
    let mut measurer = UkiMeasurer::new(&Bank::ALL);
    for (name, content) in sections {
        show(&mut measurer, name, content);
    }
    measurer.finish()
}

#[test]
fn measures_every_section_in_every_bank() {
    let uki = measured(&[
        (".sdmagic", MAGIC),
        (".text", b"code"),
        (".linux", b"kernel"),
    ])
    .unwrap();
    assert_eq!(uki.stub().text, "257.13-1~deb13u1");
    assert_eq!(uki.sections().len(), 3);
    assert_eq!(uki.sections()[1].digests, Digests::of(&Bank::ALL, b"code"));
    for bank in Bank::ALL {
        let expected = [b".linux\0".as_slice(), b"kernel"]
            .iter()
            .fold(crate::Digest::zero(bank), |value, data| {
                value.extended(&bank.hash(data))
            });
        assert_eq!(uki.pcr11(bank, &PhasePath::none()), Some(expected));
    }
}

#[test]
fn gives_no_value_in_a_bank_that_was_not_asked_for() {
    let mut measurer = UkiMeasurer::new(&[Bank::Sha256]);
    show(&mut measurer, ".sdmagic", MAGIC);
    show(&mut measurer, ".linux", b"k");
    assert_eq!(
        measurer
            .finish()
            .unwrap()
            .pcr11(Bank::Sha1, &PhasePath::none()),
        None
    );
}

#[test]
fn refuses_a_file_without_kernel_or_stub() {
    let refused = |sections: &[(&str, &[u8])]| measured(sections).unwrap_err();
    assert_eq!(refused(&[(".sdmagic", MAGIC)]), UkiError::NoKernel);
    assert_eq!(
        refused(&[(".sdmagic", MAGIC), (".linux", b"")]),
        UkiError::NoKernel
    );
    assert_eq!(
        refused(&[(".linux", b"k")]),
        UkiError::Version(VersionError::Missing(Component::Stub))
    );
}

#[test]
fn refuses_a_section_that_is_twice_in_a_profile() {
    let twice = [
        (".sdmagic", MAGIC),
        (".linux", b"k"),
        (".cmdline", b"a"),
        (".cmdline", b"b"),
    ];
    assert_eq!(
        measured(&twice).unwrap_err(),
        UkiError::Twice(".cmdline".into())
    );
}

#[test]
fn tells_profiles_apart_by_the_section_table() {
    let uki = measured(&[
        (".sdmagic", MAGIC),
        (".linux", b"k"),
        (".cmdline", b"base"),
        (".profile", b"ID=a\n"),
        (".profile", b"TITLE=B\nID=b\n"),
        (".cmdline", b"own"),
    ])
    .unwrap();
    assert_eq!(uki.profiles(), 2);
    let [first, second] = [0, 1].map(|number| uki.profile(number).unwrap());
    assert_eq!((first.title(), second.title()), (Some("a"), Some("B")));
    assert_eq!(first.text(".cmdline"), Some(b"base".as_slice()));
    assert_eq!(second.text(".cmdline"), Some(b"own".as_slice()));
    assert!(uki.profile(2).is_none());
}

#[test]
fn gives_no_value_where_the_machine_chooses() {
    for name in [".dtbauto", ".efifw"] {
        let uki = measured(&[(".sdmagic", MAGIC), (".linux", b"k"), (name, b"x")]).unwrap();
        assert_eq!(uki.pcr11(Bank::Sha256, &PhasePath::none()), None, "{name}");
    }
}

#[test]
fn refuses_microcode_other_than_announced() {
    let mut measurer = UkiMeasurer::new(&[Bank::Sha256]);
    measurer.announce_microcode(&mut &b"one"[..]).unwrap();
    show(&mut measurer, ".sdmagic", MAGIC);
    show(&mut measurer, ".linux", b"k");
    show(&mut measurer, ".ucode", b"two");
    assert_eq!(measurer.finish().unwrap_err(), UkiError::OtherMicrocode);
}

#[test]
fn keeps_no_more_than_the_small_sections() {
    let big = vec![0; KEPT_LIMIT + 1];
    let error = measured(&[(".sdmagic", MAGIC), (".linux", b"k"), (".osrel", &big)]).unwrap_err();
    assert_eq!(error, UkiError::TooBig(".osrel".into()));
    let uki = measured(&[(".sdmagic", MAGIC), (".linux", &big), (".cmdline", b"ro")]).unwrap();
    assert_eq!(
        (uki.text(".linux"), uki.text(".cmdline")),
        (None, Some(b"ro".as_slice()))
    );
}
