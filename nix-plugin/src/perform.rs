//! Performs a request. Whatever goes wrong in Rust ends here, as a value.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use serde_json::Value;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, Files, progress::Silent};
use touchstone_operations::{Effect, Failure, dispatch, operations, parse, to_bytes};

use crate::answer::Answer;
use crate::request::OUTPUT;

/// How a request ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    /// With this answer.
    Answered(Answer),
    /// With this answer, as text.
    Printed(String),
    /// Refused, and why.
    Refused(String),
    /// With a mistake of Touchstone's.
    Panicked(String),
}

/// Performs a request that the walk has written.
pub fn perform(request: &[u8], files: &dyn Files) -> Ended {
    caught(
        || match parse(request).and_then(|request| dispatch(request, &context(files))) {
            Ok(answer) => Answer::of(answer).map_or_else(Ended::Refused, Ended::Answered),
            Err(failure) => Ended::Refused(failure.to_string()),
        },
    )
}

/// Performs a request that somebody has written as text, if it computes a value; the answer is text, too.
pub fn perform_text(text: &[u8], files: &dyn Files) -> Ended {
    caught(|| {
        let request = match parse(text) {
            Ok(request) => request,
            Err(failure) => return Ended::Refused(failure.to_string()),
        };
        match admit(&request) {
            // What has been looked at is what is performed.
            Ok(()) => {
                printed(dispatch(request, &context(files)).and_then(|answer| to_bytes(&answer)))
            }
            Err(refusal) => Ended::Refused(refusal),
        }
    })
}

/// Refuses what does more than to compute a value; what is malformed is left to the operation.
fn admit(request: &Value) -> Result<(), String> {
    let name = request.get("operation").and_then(Value::as_str);
    let known = operations();
    let asked = known.iter().find(|known| Some(known.name) == name);
    match asked.map(|asked| (asked.name, asked.effect)) {
        Some((name, Effect::Files)) => Err(format!(
            "the operation `{name}` makes files, which no evaluation does: use the library's function for it, whose derivation makes them"
        )),
        Some((name, Effect::World)) => Err(format!(
            "the operation `{name}` does more than to compute a value, which no evaluation does: use `touchstone run`"
        )),
        None | Some((_, Effect::Value)) => match request.get("output") {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(OUTPUT.to_owned()),
        },
    }
}

fn context(files: &dyn Files) -> Context<'_> {
    Context {
        files,
        progress: &Silent,
        keys: KeyPolicy::TestKeysOnly,
        agent: None,
        now: None,
    }
}

fn printed(answer: Result<Vec<u8>, Failure>) -> Ended {
    match answer.map(String::from_utf8) {
        Ok(Ok(text)) => Ended::Printed(text),
        Ok(Err(error)) => Ended::Panicked(format!("the answer is not UTF-8: {error}")),
        Err(failure) => Ended::Refused(failure.to_string()),
    }
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does `work`; a panic in it is a value, and says nothing on standard error.
pub fn caught(work: impl FnOnce() -> Ended) -> Ended {
    static HOOK: Once = Once::new();
    // The hook is that of the plugin's own copy of Rust's library, so that nobody else's panics are silenced.
    HOOK.call_once(|| panic::set_hook(Box::new(remember)));
    // What `work` touches is dropped with it: nobody sees it half-changed.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let last = LAST_PANIC.with(|last| last.borrow_mut().take());
        Ended::Panicked(last.unwrap_or_else(|| said(payload.as_ref())))
    })
}

fn remember(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |location| {
        format!(" ({}:{})", location.file(), location.line())
    });
    let text = format!("{}{place}", said(panic.payload()));
    LAST_PANIC.with(|last| *last.borrow_mut() = Some(text));
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_artifacts::HostFiles;

    #[test]
    fn a_panic_is_a_value_that_says_where() {
        let Ended::Panicked(text) = caught(|| panic!("the stone {}", "broke")) else {
            panic!("it was not caught")
        };
        assert!(text.starts_with("the stone broke ("), "{text}");
        assert!(text.contains("perform.rs:"), "{text}");
    }

    fn refusal(request: &str) -> String {
        match perform_text(request.as_bytes(), &HostFiles) {
            Ended::Refused(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn text_that_asks_for_more_than_a_value_is_refused() {
        let refused = refusal(r#"{"operation":"pe.verify","file":"x","output":"y"}"#);
        assert_eq!(refused, OUTPUT);
        let refused = refusal(r#"{"operation":"uki.assemble","output":"y"}"#);
        assert!(
            refused.starts_with("the operation `uki.assemble` makes files, "),
            "{refused}"
        );
        let refused = refusal(r#"{"operation":"keys.generate"}"#);
        assert!(
            refused.starts_with("the operation `keys.generate` does more "),
            "{refused}"
        );
    }

    #[test]
    fn of_two_operations_the_one_that_is_performed_is_looked_at() {
        let refused = refusal(r#"{"operation":"pe.verify","operation":"keys.generate"}"#);
        assert!(
            refused.starts_with("the operation `keys.generate` does more "),
            "{refused}"
        );
    }

    #[test]
    fn what_is_malformed_is_refused_by_the_contract() {
        assert!(refusal("[").contains("[request.malformed]"));
        assert!(refusal(r#"{"operation":"none"}"#).contains("there is no operation `none`"));
    }
}
