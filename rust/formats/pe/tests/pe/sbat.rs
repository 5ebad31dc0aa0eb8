use touchstone_pe::sbat::{DEFAULT_UKI, Entries, HEADER, SbatError, merge};
use touchstone_pe::uki::Compat;

fn entries(text: &str) -> Entries {
    Entries::parse(text.as_bytes()).unwrap()
}

#[test]
fn merges_under_one_header() {
    let merged = merge(
        &[entries("sbat,9,x\na,1\n"), entries("sbat,1\nb,1\r\nc,1")],
        Compat::Ukify262,
    );
    assert_eq!(
        String::from_utf8(merged).unwrap(),
        format!("{HEADER}\na,1\nb,1\nc,1\n")
    );
}

#[test]
fn ukify_257_ends_with_a_nul() {
    let merged = merge(&[entries("sbat,9,x\na,1\n")], Compat::Ukify257);
    assert_eq!(
        String::from_utf8(merged).unwrap(),
        format!("{HEADER}\na,1\n\0")
    );
    assert_eq!(
        merge(&[], Compat::Ukify257),
        format!("{HEADER}\n\n\0").into_bytes()
    );
    assert_eq!(
        merge(&[], Compat::Ukify262),
        format!("{HEADER}\n").into_bytes()
    );
}

#[test]
fn keeps_empty_lines_and_leaves_out_padding() {
    let merged = merge(&[entries("sbat,1\n\n a \n\n\0\0\0")], Compat::Ukify262);
    assert_eq!(
        String::from_utf8(merged).unwrap(),
        format!("{HEADER}\n\n a \n\n")
    );
}

#[test]
fn refuses_texts_without_header() {
    for text in ["", "\n", "a,1,b", "sbat", "\nsbat,1"] {
        assert_eq!(
            Entries::parse(text.as_bytes()),
            Err(SbatError::NoHeader),
            "{text:?}"
        );
    }
    for bytes in [&b"sbat,1\n\xff"[..], b"sbat,1\na\0b"] {
        assert_eq!(Entries::parse(bytes), Err(SbatError::NotText));
    }
}

#[test]
fn the_default_names_the_specification() {
    let merged = String::from_utf8(merge(&[entries(DEFAULT_UKI)], Compat::Ukify262)).unwrap();
    let line =
        "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n";
    assert_eq!(merged, format!("{HEADER}\n{line}"));
}
