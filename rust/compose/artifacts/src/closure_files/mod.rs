//! What operations that look through the files of a closure share: which paths those are, the files in them, patterns that allow what
//! is known, and a window over a file of any length.

pub(crate) mod graph;
pub(crate) mod pattern;
pub(crate) mod references;
pub(crate) mod walk;
pub(crate) mod window;
