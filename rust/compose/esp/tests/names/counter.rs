use proptest::prelude::*;
use touchstone_esp::{Assessment, BootCount};

fn count(text: &str) -> BootCount {
    text.parse().unwrap()
}

#[test]
fn an_entry_is_tried_until_no_attempt_is_left() {
    let mut tried = vec![count("+3")];
    for _ in 0..4 {
        tried.push(tried[tried.len() - 1].attempt());
    }
    let names: Vec<String> = tried.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["+3", "+2-1", "+1-2", "+0-3", "+0-4"]);
}

#[test]
fn an_entry_without_a_counter_is_good_and_one_without_attempts_is_bad() {
    let assess = |text: &str| BootCount::assessment(text.parse().ok());
    assert_eq!(assess("none"), Assessment::Good);
    assert_eq!(assess("+0-3"), Assessment::Bad);
    assert_eq!(assess("+0"), Assessment::Bad);
    assert_eq!(assess("+1-2"), Assessment::Indeterminate);
}

#[test]
fn the_last_plus_before_the_extension_decides() {
    for (name, without, counter) in [
        ("memtest86+.efi", "memtest86+.efi", None),
        ("memtest86++2.EFI", "memtest86+.EFI", Some("+2")),
        ("a+1+x.conf", "a+1+x.conf", None),
        ("a+1-2.conf", "a.conf", Some("+1-2")),
        ("a+1.conf+2.bak", "a+1.conf+2.bak", None),
        ("a+1", "a", Some("+1")),
        ("ü+1.efi", "ü.efi", Some("+1")),
    ] {
        let expected = (without.to_owned(), counter.map(count));
        assert_eq!(BootCount::split(name), expected);
    }
}

#[test]
fn what_systemd_boot_takes_for_a_part_of_the_name_is_no_counter() {
    for text in [
        "",
        "+",
        "3",
        "+3-",
        "+-1",
        "++3",
        "+3-1-1",
        "+3 ",
        "+0x3",
        "+2147483648",
        "+1-2147483648",
    ] {
        assert!(text.parse::<BootCount>().is_err(), "{text}");
    }
}

#[test]
fn leading_zeros_count_for_nothing() {
    assert_eq!(count("+03-00"), count("+3-0"));
}

#[test]
fn counters_stop_at_their_limits() {
    assert_eq!(count("+0-2147483647").attempt(), count("+0-2147483647"));
    assert_eq!(BootCount::new(u32::MAX), count("+2147483647"));
}

proptest! {
    #[test]
    fn a_counter_is_read_as_it_was_written(left in 0..=i32::MAX as u32, done in proptest::option::of(0..=i32::MAX as u32)) {
        let count = BootCount { left, done };
        prop_assert_eq!(count.to_string().parse(), Ok(count));
        let split = BootCount::split(&format!("entry{count}.conf"));
        prop_assert_eq!(split, ("entry.conf".to_owned(), Some(count)));
    }

    #[test]
    fn any_text_is_a_counter_or_none(text in "\\PC*") {
        let (before, count) = BootCount::split(&text);
        prop_assert!(count.is_some() || before == text);
    }
}
