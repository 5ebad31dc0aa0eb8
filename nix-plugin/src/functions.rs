//! Which functions `builtins.touchstone` has, and which operation each performs.

use std::ffi::CString;
use std::sync::{LazyLock, OnceLock};

use touchstone_operations::{Description, operations};

use crate::documentation;
use crate::shape::Shape;

/// The names of the functions, each with its operation.
const NAMES: [(&str, &str); 8] = [
    ("bootspec", "bootspec.emit"),
    ("predictPcrs", "measure.predict"),
    ("verify", "pe.verify"),
    ("parse.bootspec", "bootspec.show"),
    ("parse.pe", "uki.inspect"),
    ("parse.eventLog", "eventlog.show"),
    ("parse.storePath", "store.path"),
    ("parse.pcrPolicy", "policy.show"),
];

/// A function of one set: the operation's request.
pub struct Function {
    /// The names of the sets that it lies in, and its own.
    pub name: &'static str,
    /// The operation's name.
    pub operation: &'static str,
    /// What `:doc` shows.
    pub documentation: CString,
    description: Description,
    shape: OnceLock<Shape>,
}

impl Function {
    fn of(name: &'static str, description: Description) -> Self {
        Self {
            name,
            operation: description.name,
            documentation: documentation::of(name, &description),
            description,
            shape: OnceLock::new(),
        }
    }

    /// What its set may hold.
    pub fn shape(&self) -> &Shape {
        self.shape
            .get_or_init(|| Shape::of(self.description.request_schema().as_value()))
    }
}

/// All functions that perform an operation.
pub fn functions() -> &'static [Function] {
    static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
        let named = |description: Description| {
            let (name, _) = NAMES.iter().find(|(_, name)| *name == description.name)?;
            Some(Function::of(name, description))
        };
        operations().into_iter().filter_map(named).collect()
    });
    &FUNCTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_function() {
        let mut names: Vec<_> = functions().iter().map(|function| function.name).collect();
        names.sort_unstable();
        let mut expected: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
