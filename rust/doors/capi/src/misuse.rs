//! What a caller did wrong, as far as a library can tell.

use touchstone_operations::Failure;

use crate::TOUCHSTONE_ABI;

/// A call that is wrong, whatever is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// It was compiled for another version of the interface.
    Abi(u32),
    /// The request is NULL.
    NoRequest,
    /// The size of the options is of no version of them.
    OptionsSize(usize),
    /// Flags that this library does not have.
    Flags(u32),
    /// Fields behind those that this library has, and they are not zero.
    LaterOptions,
}

impl From<Misuse> for Failure {
    fn from(misuse: Misuse) -> Failure {
        let (code, what, help) = match misuse {
            Misuse::Abi(abi) => (
                "abi.version",
                format!(
                    "the caller was compiled for version {abi} of the interface; this library has {TOUCHSTONE_ABI}"
                ),
                "compile it with the touchstone.h that came with the library, and pass TOUCHSTONE_ABI",
            ),
            Misuse::NoRequest => (
                "abi.misuse",
                "the request is NULL".to_owned(),
                "pass the text of a request and how many bytes it has",
            ),
            Misuse::OptionsSize(size) => (
                "abi.misuse",
                format!("the options say that they have {size} bytes, as no version of them has"),
                "begin with TOUCHSTONE_OPTIONS_INIT",
            ),
            Misuse::Flags(flags) => (
                "abi.misuse",
                format!("the options have flags that this library does not know: {flags:#x}"),
                "set no other flags than those of touchstone.h, or use a later library",
            ),
            Misuse::LaterOptions => (
                "abi.misuse",
                "the options set a field that this library does not have".to_owned(),
                "use the library that the caller's touchstone.h came with, or a later one",
            ),
        };
        Failure {
            code: code.to_owned(),
            what,
            file: None,
            help: help.to_owned(),
        }
    }
}
