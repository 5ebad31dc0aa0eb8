//! Words for a difference.

use super::Question;
use super::known::Known;
use super::logged::{Class, Logged};
use crate::eventlog::describe::{entries, utf16_text, variable_parts};
use crate::measurement::Measurement;

/// How the reason of a measured image begins.
const DIGEST_OF: &str = "the Authenticode digest of ";

/// What is missing.
pub(super) fn missing(question: &Question<'_>, predicted: &Measurement) -> String {
    let hint = match Class::of_predicted(predicted) {
        Class::Phase if question.userspace.is_none() => {
            ": systemd measures it; give its log as well"
        }
        _ => "",
    };
    let what = plain(&predicted.why);
    format!("{what} was predicted, and is not in the log{hint}")
}

/// What was not predicted.
pub(super) fn additional(question: &Question<'_>, logged: &Logged<'_>) -> String {
    format!(
        "{} was measured ({}), and not predicted",
        called(question.known, logged),
        logged.place
    )
}

/// What stands in the place of what was predicted.
pub(super) fn changed(
    question: &Question<'_>,
    predicted: &Measurement,
    logged: &Logged<'_>,
) -> String {
    let known = question.known;
    match &logged.class {
        Class::Image => {
            let was = plain(&predicted.why);
            format!(
                "{} is {}, predicted {was}",
                role(was),
                called(known, logged)
            )
        }
        Class::Variable(name) => variable(known, name, predicted, logged),
        Class::CommandLine | Class::Options => command_line(known, predicted, logged),
        Class::Initrd => format!(
            "the initrd is {}, predicted {}",
            known
                .name(&logged.digest)
                .unwrap_or("another, of which the log has no content"),
            predicted.why
        ),
        Class::Section(name) => format!(
            "the UKI's section {name} is {}, predicted {}",
            known.name(&logged.digest).unwrap_or("another"),
            predicted.why
        ),
        _ => format!(
            "{} was measured ({}), predicted {}",
            called(known, logged),
            logged.place,
            plain(&predicted.why)
        ),
    }
}

/// The thing itself, without the words for its digest.
fn plain(why: &str) -> &str {
    why.strip_prefix(DIGEST_OF).unwrap_or(why)
}

/// What a started image is for.
fn role(name: &str) -> &'static str {
    match name {
        name if name.starts_with("systemd-boot") => "the boot loader on the ESP",
        name if name.starts_with("shim") => "the shim",
        _ => "the started image",
    }
}

/// What a logged measurement is, by its name where its digest is known.
fn called(known: &Known, logged: &Logged<'_>) -> String {
    match known.name(&logged.digest) {
        Some(name) => plain(name).to_owned(),
        None if logged.class == Class::Image => format!("an unknown {}", logged.says),
        None => logged.says.clone(),
    }
}

fn variable(known: &Known, name: &str, predicted: &Measurement, logged: &Logged<'_>) -> String {
    let Some(data) = logged.measured else {
        return format!(
            "the variable {name} is another, and the log does not hold what was hashed; predicted {}",
            predicted.why
        );
    };
    let content = variable_parts(data)
        .map(|variable| variable.content)
        .unwrap_or_default();
    let before = known.content(&predicted.digest, data);
    let lists = before.and_then(|before| Some((entries(before)?, entries(content)?)));
    match lists {
        Some((before, now)) => format!("the variable {name} {}", lists_differ(&before, &now)),
        None if entries(content).is_some() && name != "SecureBoot" => format!(
            "{}, predicted another content, which is not known here (give its signature list to see the entries that differ)",
            logged.says
        ),
        None => format!("{}, predicted {}", logged.says, predicted.why),
    }
}

/// What a variable has that was not predicted, and what it lacks.
fn lists_differ(before: &[String], now: &[String]) -> String {
    let (lacks, has) = (without(before, now), without(now, before));
    let list = |entries: &[&String]| {
        let entries: Vec<&str> = entries.iter().map(|entry| entry.as_str()).collect();
        entries.join(", ")
    };
    match (has.as_slice(), lacks.as_slice()) {
        ([], []) => "has the predicted entries in another form or order".to_owned(),
        (has, []) => format!("has in addition {}", list(has)),
        ([], lacks) => format!("lacks {}", list(lacks)),
        (has, lacks) => format!("has {} and lacks {}", list(has), list(lacks)),
    }
}

/// What is in the first and not in the second, each as often as it is there too often.
fn without<'a, T: Ord>(first: &'a [T], second: &[T]) -> Vec<&'a T> {
    let mut left: Vec<&T> = second.iter().collect();
    left.sort();
    let mut found = Vec::new();
    for one in first {
        match left.binary_search(&one) {
            Ok(place) => {
                left.remove(place);
            }
            Err(_) => found.push(one),
        }
    }
    found
}

fn command_line(known: &Known, predicted: &Measurement, logged: &Logged<'_>) -> String {
    let what = match logged.class {
        Class::CommandLine => "the kernel's command line",
        _ => "what boot loader or stub passed on",
    };
    let of_data = logged.measured.and_then(utf16_text);
    let now = of_data.or_else(|| quoted(known.name(&logged.digest)?));
    let before = quoted(&predicted.why);
    match (before, now) {
        (Some(before), Some(now)) => format!("{what} {}", lines_differ(&before, &now)),
        (_, Some(now)) => format!("{what} is {now:?}, predicted {}", predicted.why),
        (_, None) => format!(
            "{what} is another, of which the log has the digest alone; predicted {}",
            predicted.why
        ),
    }
}

/// The text that stands quoted at the end of a reason, as Rust writes it.
fn quoted(why: &str) -> Option<String> {
    let (_, text) = why.split_once(": \"")?;
    let text = text.strip_suffix('"')?;
    // Escapes that a command line can need; others leave the text as it stands.
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn lines_differ(before: &str, now: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (
        before.split_whitespace().collect(),
        now.split_whitespace().collect(),
    );
    let list = |words: &[&&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(" ")
    };
    let change = match (without(&b, &a).as_slice(), without(&a, &b).as_slice()) {
        ([], []) => "has the same words in another order or with other spaces".to_owned(),
        (has, []) => format!("has in addition {}", list(has)),
        ([], lacks) => format!("lacks {}", list(lacks)),
        (has, lacks) => format!("has {} and lacks {}", list(has), list(lacks)),
    };
    format!("{change}: it is {now:?}, predicted {before:?}")
}
