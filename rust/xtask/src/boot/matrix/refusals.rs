//! The registers that are refused, with the reason: written down before the boots. A refusal that is not here fails the run, and so
//! does one that is here and is none any more.

use super::cases::Case;

/// Registers of some machines that are refused.
struct Refusal {
    /// Of which machines.
    of: fn(&Case) -> bool,
    /// Which register.
    pcr: u32,
    /// Why.
    reason: &'static str,
}

/// The list.
const LIST: [Refusal; 0] = [];

/// Why this register of this machine is refused; none when it is to be predicted.
pub fn expected(case: &Case, pcr: u32) -> Option<&'static str> {
    LIST.iter()
        .find(|refusal| refusal.pcr == pcr && (refusal.of)(case))
        .map(|refusal| refusal.reason)
}

/// All reasons, for the table's notes.
pub fn reasons() -> impl Iterator<Item = (u32, &'static str)> {
    LIST.iter().map(|refusal| (refusal.pcr, refusal.reason))
}

#[cfg(test)]
mod tests {
    use super::super::cases::Systemd;
    use super::*;

    #[test]
    fn refuses_nothing_of_the_newer_stubs_but_pcrs_5_and_14() {
        let newer = |case: &Case| case.systemd != Systemd::V252;
        for case in Case::all().into_iter().filter(newer) {
            for pcr in [4, 7, 9, 11, 12, 13] {
                assert_eq!(expected(&case, pcr), None, "{case}, PCR {pcr}");
            }
        }
    }

    #[test]
    fn every_reason_is_that_of_a_machine() {
        for refusal in &LIST {
            assert!(Case::all().iter().any(refusal.of), "{}", refusal.reason);
        }
    }
}
