//! Progress, as C is told of it.

use std::ffi::CString;

use touchstone_artifacts::Progress;

use crate::TouchstoneOptions;

impl Progress for TouchstoneOptions {
    fn phase(&self, name: &str) {
        let Some(tell) = self.phase else { return };
        // A file's name has no NUL in it, and neither has a phase.
        let name = CString::new(name).unwrap_or_default();
        tell(self.user, name.as_ptr());
    }

    fn bytes(&self, done: u64, total: u64) {
        if let Some(tell) = self.bytes {
            tell(self.user, done, total);
        }
    }
}
