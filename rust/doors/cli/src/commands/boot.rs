//! `touchstone boot`.

use touchstone_artifacts::Context;
use touchstone_artifacts::boot_signatures::{RequestSignatures, SignRequests};
use touchstone_operations::{Failure, perform};

use super::{Verdict, boot_checks, print};
use crate::arguments::Boot;

/// Works on the boot artifacts of a generation.
///
/// # Errors
/// [`Failure`].
pub fn run(boot: Boot, context: &Context<'_>) -> Result<Verdict, Failure> {
    match boot {
        Boot::Requests(words) => {
            let json = words.json;
            let answer = perform(&RequestSignatures::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                let requests = answer.requests.iter();
                let requests = requests.map(|one| (&one.file, &one.images));
                let policies = answer.policies.iter();
                let policies = policies.map(|one| (&one.file, &one.images));
                for (file, images) in requests.chain(policies) {
                    print::line(&format!("{file}  {}", images.join(", ")))?;
                }
            }
        }
        Boot::Sign(words) => {
            let json = words.json;
            let answer = perform(&SignRequests::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                for signature in &answer.signatures {
                    print::line(&signature.file)?;
                }
            }
        }
        Boot::Verify(words) => return boot_checks::verify(words, context),
        Boot::Space(words) => return boot_checks::space(words, context),
    }
    Ok(Verdict::Done)
}
