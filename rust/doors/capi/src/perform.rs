//! What a call is for.

use touchstone_operations::Failure;

use crate::TouchstoneOptions;

/// Performs a request as the options allow.
pub(crate) fn perform(request: &[u8], options: &TouchstoneOptions) -> Result<Vec<u8>, Failure> {
    touchstone_operations::answer(request, &options.context())
}
