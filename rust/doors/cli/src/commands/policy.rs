//! `touchstone policy`.

use touchstone_artifacts::Context;
use touchstone_artifacts::policy::{CreatePolicy, PcrPolicy, ShowPolicy, SignPolicy, SignedPolicy};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::Policy;

/// Makes, signs or shows a policy.
///
/// # Errors
/// [`Failure`].
pub fn run(words: Policy, context: &Context<'_>) -> Result<Verdict, Failure> {
    match words {
        Policy::Create(words) => {
            let json = words.json;
            let answer = perform(&CreatePolicy::from(*words), context)?;
            match json {
                true => print::json(&answer)?,
                false => print_policy(&answer)?,
            }
        }
        Policy::Sign(words) => {
            let json = words.json;
            let answer = perform(&SignPolicy::from(*words), context)?;
            match json {
                true => print::json(&answer)?,
                false => print_signed(&answer)?,
            }
        }
        Policy::Show(words) => {
            let json = words.json;
            let answer = perform(&ShowPolicy::from(words), context)?;
            match json {
                true => print::json(&answer)?,
                false => answer.says.iter().try_for_each(|line| print::line(line))?,
            }
            if answer.holds == Some(false) {
                return Ok(Verdict::Negative);
            }
        }
    }
    Ok(Verdict::Done)
}

fn print_policy(policy: &PcrPolicy) -> Result<(), Failure> {
    print::line(&format!("{}", policy.policy))?;
    for branch in &policy.branches {
        print::line(&format!(
            "  {}  {}",
            branch.policy_pcr,
            branch.names.join("; ")
        ))?;
    }
    Ok(())
}

/// The policy that something is sealed to, then the signatures as systemd reads them.
fn print_signed(signed: &SignedPolicy) -> Result<(), Failure> {
    print::line(&format!("{}", signed.policy))?;
    print::line(signed.signatures.to_line().trim_end())
}
