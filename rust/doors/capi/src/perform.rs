//! What a call is for.

use touchstone_artifacts::{Context, HostFiles};
use touchstone_operations::Failure;

use crate::TouchstoneOptions;

/// Performs a request as the options allow.
pub(crate) fn perform(request: &[u8], options: &TouchstoneOptions) -> Result<Vec<u8>, Failure> {
    let context = Context {
        progress: options,
        keys: options.keys(),
        agent: None,
        now: options.time(),
        files: &HostFiles,
    };
    touchstone_operations::answer(request, &context)
}
