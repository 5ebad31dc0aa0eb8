//! `touchstone pe`.

use touchstone_artifacts::Context;
use touchstone_artifacts::inspect::DigestPe;
use touchstone_artifacts::unsign::UnsignPe;
use touchstone_operations::{Failure, perform};

use super::{Verdict, print, verify};
use crate::arguments::{Pe, Request};

/// Digests or signs an image, or removes its signatures.
///
/// # Errors
/// [`Failure`].
pub fn run(pe: Pe, context: &Context<'_>) -> Result<Verdict, Failure> {
    let done = match pe {
        Pe::Digest { file, json } => {
            let answer = perform(&DigestPe { file: file.clone() }, context)?;
            if json {
                print::json(&answer)?;
                return Ok(Verdict::Done);
            }
            print::line(&format!("{}  {}", answer.sha256, file.display()))
        }
        Pe::Sign(words) => match Request::from(*words) {
            Request::Sign(request) => perform(&request, context).map(drop),
            Request::Prepare(request) => perform(&request, context).map(drop),
        },
        Pe::Unsign(words) => perform(&UnsignPe::from(words), context).map(drop),
        Pe::Verify(arguments) => return verify::run(arguments, context),
    };
    done.map(|()| Verdict::Done)
}
