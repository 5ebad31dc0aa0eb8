//! What the two halves call of each other.

use std::sync::LazyLock;

use touchstone_operations::operations;

use crate::answer::Answer;
use crate::files::EvaluatorFiles;
use crate::functions::{self, Function};
use crate::perform::{self, Ended};
use crate::request::Request;

pub use ffi::Call;

#[cxx::bridge(namespace = "touchstone")]
mod ffi {
    /// How a request ended.
    enum Ending {
        /// `answer` is the answer, or `text` where that was asked for.
        Answered,
        /// `text` says why not.
        Refused,
        /// `text` says what is wrong with Touchstone.
        Panicked,
    }

    /// What became of a request.
    struct Outcome {
        ending: Ending,
        answer: Box<Answer>,
        text: String,
    }

    /// What a part of an answer is.
    enum Kind {
        Null,
        Boolean,
        Integer,
        Float,
        Text,
        List,
        Set,
    }

    /// Where a file lies.
    struct Located {
        /// Whether the evaluator lets it be read; if not, the call keeps why.
        allowed: bool,
        /// Its place on the disk.
        place: Vec<u8>,
    }

    extern "Rust" {
        type Request;
        type Function;
        type Answer;

        fn version() -> &'static str;
        fn contract() -> &'static str;
        fn nix_version() -> &'static str;
        fn operations_by_effect(effect: &str) -> Vec<String>;
        fn functions() -> &'static [Function];
        fn name(self: &Function) -> &'static str;
        fn documentation(self: &'static Function) -> &'static [u8];

        fn begin(function: &'static Function) -> Box<Request>;
        fn admit(self: &Request, name: &[u8]) -> Result<()>;
        fn attribute(self: &mut Request, name: &[u8]);
        fn item(self: &mut Request);
        fn open_attributes(self: &mut Request) -> Result<()>;
        fn open_list(self: &mut Request) -> Result<()>;
        fn close(self: &mut Request) -> Result<()>;
        fn null(self: &mut Request) -> Result<()>;
        fn boolean(self: &mut Request, value: bool) -> Result<()>;
        fn integer(self: &mut Request, value: i64) -> Result<()>;
        #[cxx_name = "number"]
        fn float(self: &mut Request, value: f64) -> Result<()>;
        fn text(self: &mut Request, value: &[u8]) -> Result<()>;
        fn refuse(self: &Request, kind: &str) -> Result<()>;
        fn place(self: &Request) -> String;

        fn kind(self: &Answer) -> Kind;
        fn boolean(self: &Answer) -> bool;
        fn integer(self: &Answer) -> i64;
        #[cxx_name = "number"]
        fn float(self: &Answer) -> f64;
        fn text(self: &Answer) -> &str;
        fn length(self: &Answer) -> usize;
        fn part(self: &Answer, index: usize) -> &Answer;
        fn name(self: &Answer, index: usize) -> &str;

        fn perform_request(request: &Request, call: &Call) -> Outcome;
        fn perform_text(text: &[u8], call: &Call) -> Outcome;
        fn perform_fault(kind: &str, call: &Call) -> Outcome;
        fn has_faults() -> bool;
        fn one_line(text: &[u8]) -> String;
    }

    unsafe extern "C++" {
        include!("touchstone-nix/glue/call.hh");

        type Call;

        fn locate(self: &Call, path: &[u8]) -> Located;
        #[cfg(feature = "faults")]
        fn interrupted(self: &Call) -> bool;
        #[cfg(feature = "faults")]
        fn fail(self: &Call) -> bool;
        fn register_builtins() -> Result<()>;
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn contract() -> &'static str {
    static CONTRACT: LazyLock<String> = LazyLock::new(touchstone_operations::contract);
    &CONTRACT
}

fn nix_version() -> &'static str {
    env!("TOUCHSTONE_NIX_VERSION")
}

fn functions() -> &'static [Function] {
    functions::functions()
}

impl Function {
    fn name(&self) -> &'static str {
        self.name
    }

    /// With the NUL that ends it.
    fn documentation(&'static self) -> &'static [u8] {
        self.documentation.as_bytes_with_nul()
    }
}

fn begin(function: &'static Function) -> Box<Request> {
    Box::new(Request::new(function))
}

fn perform_request(request: &Request, call: &Call) -> ffi::Outcome {
    outcome(perform::perform(
        request.bytes(),
        &EvaluatorFiles::new(call),
    ))
}

fn perform_text(text: &[u8], call: &Call) -> ffi::Outcome {
    outcome(perform::perform_text(text, &EvaluatorFiles::new(call)))
}

#[cfg(feature = "faults")]
fn perform_fault(kind: &str, call: &Call) -> ffi::Outcome {
    outcome(crate::faults::perform(kind, call))
}

/// There is no such function.
#[cfg(not(feature = "faults"))]
fn perform_fault(_kind: &str, _call: &Call) -> ffi::Outcome {
    outcome(Ended::Refused(String::new()))
}

fn has_faults() -> bool {
    cfg!(feature = "faults")
}

/// The text for a message: its control characters spelt out.
fn one_line(text: &[u8]) -> String {
    touchstone_operations::one_line(&String::from_utf8_lossy(text))
}

fn operations_by_effect(effect: &str) -> Vec<String> {
    let operations = operations().into_iter();
    let those = operations.filter(|operation| operation.effect.name() == effect);
    those.map(|operation| operation.name.to_owned()).collect()
}

impl Answer {
    fn kind(&self) -> ffi::Kind {
        match self {
            Self::Null => ffi::Kind::Null,
            Self::Boolean(_) => ffi::Kind::Boolean,
            Self::Integer(_) => ffi::Kind::Integer,
            Self::Float(_) => ffi::Kind::Float,
            Self::Text(_) => ffi::Kind::Text,
            Self::List(_) => ffi::Kind::List,
            Self::Set(_) => ffi::Kind::Set,
        }
    }
}

fn outcome(ended: Ended) -> ffi::Outcome {
    let (ending, answer, text) = match ended {
        Ended::Answered(answer) => (ffi::Ending::Answered, answer, String::new()),
        Ended::Printed(text) => (ffi::Ending::Answered, Answer::Null, text),
        Ended::Refused(text) => (ffi::Ending::Refused, Answer::Null, text),
        Ended::Panicked(text) => (ffi::Ending::Panicked, Answer::Null, text),
    };
    ffi::Outcome {
        ending,
        answer: Box::new(answer),
        text,
    }
}

/// What the front object calls, once: `builtins.touchstone` is there for every evaluation that begins later. True if it is.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_nix_register() -> bool {
    ffi::register_builtins().is_ok()
}
