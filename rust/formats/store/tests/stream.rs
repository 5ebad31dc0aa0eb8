//! Closures as one stream, and the order of references.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;

use touchstone_store::closure::stream::{StreamError, end, index, read_index};
use touchstone_store::closure::{references_first, registration};
use touchstone_store::narinfo::{Archive, Compression};
use touchstone_store::{Entry, NarHash, NarInfo, StorePath};

fn path(digit: char) -> StorePath {
    let hash = digit.to_string().repeat(32);
    StorePath::parse(&format!("/nix/store/{hash}-p")).unwrap()
}

fn info(digit: char, references: &str) -> NarInfo {
    let entry = Entry {
        path: path(digit),
        nar_hash: NarHash::new([1; 32]),
        nar_size: 120,
        references: references.chars().map(path).collect::<BTreeSet<_>>(),
        ca: None,
        signatures: BTreeSet::new(),
    };
    NarInfo::from(entry)
}

fn order(infos: Vec<NarInfo>) -> String {
    let digit = |info: &NarInfo| info.entry.path.hash_part().chars().next().unwrap();
    let ordered = references_first(infos).unwrap();
    ordered.iter().map(digit).collect()
}

fn refused(text: &str) -> StreamError {
    read_index(&mut text.as_bytes()).unwrap_err()
}

#[test]
fn references_come_before_referrers_and_else_names_decide() {
    let infos = vec![
        info('1', "32"),
        info('2', "2"),
        info('3', "4"),
        info('4', ""),
    ];
    assert_eq!(order(infos), "2431");
    // What is not among them is no matter.
    assert_eq!(order(vec![info('2', ""), info('1', "9")]), "12");
    let circle = references_first(vec![info('0', ""), info('1', "2"), info('2', "1")]);
    assert_eq!(circle.unwrap_err().0, path('1'));
}

#[test]
fn an_index_is_read_as_it_was_written_and_nothing_behind_it() {
    let infos = vec![info('0', ""), info('1', "01")];
    let text = index(&infos) + "what follows";
    let mut input = text.as_bytes();
    assert_eq!(read_index(&mut input).unwrap(), infos);
    assert_eq!(input, b"what follows");
    assert!(matches!(end(&mut input), Err(StreamError::Trailing)));
    assert!(end(&mut &b""[..]).is_ok());
    let mut none = index(&[]);
    assert_eq!(none, "touchstone-closure-1 0 0\n");
    assert!(read_index(&mut none.as_bytes()).unwrap().is_empty());
    none.pop();
    assert!(matches!(refused(&none), StreamError::Head));
}

#[test]
fn the_place_of_an_archive_is_left_out_and_refused() {
    let archive = Archive {
        url: "nar/a.nar".to_owned(),
        compression: Compression::None,
        file_hash: None,
        file_size: None,
    };
    let elsewhere = NarInfo {
        archive: Some(archive),
        ..info('0', "")
    };
    assert_eq!(
        index(std::slice::from_ref(&elsewhere)),
        index(&[info('0', "")])
    );
    let body = elsewhere.to_string();
    let text = format!("touchstone-closure-1 1 {}\n{body}", body.len());
    assert!(matches!(refused(&text), StreamError::Elsewhere(found) if found == path('0')));
}

#[test]
fn an_index_that_is_out_of_order_is_refused() {
    let late = index(&[info('1', "0"), info('0', "")]);
    assert!(matches!(
        refused(&late),
        StreamError::Order { path: one, reference } if one == path('1') && reference == path('0')
    ));
    let twice = index(&[info('0', ""), info('0', "")]);
    assert!(matches!(refused(&twice), StreamError::Twice(_)));
}

#[test]
fn what_is_no_stream_is_refused_with_the_reason() {
    let good = index(&[info('0', "")]);
    let head = good.lines().next().unwrap();
    let length = head.rsplit(' ').next().unwrap();
    for other in [
        "",
        "touchstone-closure-2 0 0\n",
        "touchstone-closure-1 0\n",
        "nix-archive-1",
    ] {
        assert!(matches!(refused(other), StreamError::Head), "{other}");
    }
    for spelling in ["touchstone-closure-1 01 ", "touchstone-closure-1 +1 "] {
        let text = good.replace("touchstone-closure-1 1 ", spelling);
        assert!(matches!(refused(&text), StreamError::Head));
    }
    let huge = format!("touchstone-closure-1 1 {}\n", u64::MAX);
    assert!(matches!(refused(&huge), StreamError::TooLong(u64::MAX)));
    assert!(matches!(
        refused(&good[..good.len() - 1]),
        StreamError::Short
    ));
    let count = good.replace("touchstone-closure-1 1", "touchstone-closure-1 2");
    assert!(matches!(
        refused(&count),
        StreamError::Count { found: 1, said: 2 }
    ));
    let wrong = good.replace("NarSize: 120", "NarSize: 12O");
    assert!(
        matches!(refused(&wrong), StreamError::Entry { number: 1, .. }),
        "{length}"
    );
}

#[test]
fn the_list_for_nix_has_a_line_for_each_fact() {
    let known = NarInfo {
        deriver: Some(path('9')),
        ..info('1', "01")
    };
    let [zeros, ones, nines] = ['0', '1', '9'].map(|digit| path(digit).to_string());
    let hash = "01".repeat(32);
    assert_eq!(
        registration([&info('0', ""), &known]),
        format!("{zeros}\n{hash}\n120\n\n0\n{ones}\n{hash}\n120\n{nines}\n2\n{zeros}\n{ones}\n")
    );
}
