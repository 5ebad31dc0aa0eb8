//! Refusals are written down, and the disk is not without end: whoever is refused again and again waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::room::Guest;
use super::signing::Signing;

/// Refusals that cost nothing.
const FREE: u32 = 32;
/// What each further one costs; those of one client come one after the other, over whatever connections.
const PRICE: Duration = Duration::from_secs(1);
/// After so long without any they are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// How often each client was refused.
#[derive(Default)]
pub(super) struct Penalties(Mutex<HashMap<Guest, Arc<Mutex<Record>>>>);

struct Record {
    refusals: u32,
    last: Instant,
}

impl Penalties {
    /// One more refusal: waits, where there were many; no longer, where the agent is told to end.
    pub(super) fn pay(&self, guest: &Guest, signing: &Signing) {
        self.pay_at(guest, signing, PRICE);
    }

    fn pay_at(&self, guest: &Guest, signing: &Signing, price: Duration) {
        let record = self.record(guest);
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.last.elapsed() > FORGOTTEN {
            record.refusals = 0;
        }
        record.refusals = record.refusals.saturating_add(1);
        if record.refusals > FREE {
            signing.pause(price);
        }
        record.last = Instant::now();
    }

    fn record(&self, guest: &Guest) -> Arc<Mutex<Record>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever is being counted is held by somebody else, too.
        all.retain(|_, record| Arc::strong_count(record) > 1 || !is_over(record));
        let new = || {
            Arc::new(Mutex::new(Record {
                refusals: 0,
                last: Instant::now(),
            }))
        };
        Arc::clone(all.entry(guest.clone()).or_insert_with(new))
    }
}

fn is_over(record: &Mutex<Record>) -> bool {
    let record = record.lock().unwrap_or_else(PoisonError::into_inner);
    record.last.elapsed() > FORGOTTEN
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn whoever_is_refused_again_and_again_waits_and_nobody_else_does() {
        let penalties = Penalties::default();
        let signing = Signing::default();
        let price = Duration::from_millis(50);
        let pay = |guest| {
            let begun = Instant::now();
            penalties.pay_at(&Guest::User(guest), &signing, price);
            begun.elapsed()
        };
        let free: Duration = (0..FREE).map(|_| pay(1)).sum();
        assert!(free < price, "{free:?}");
        assert!(pay(1) >= price);
        assert!(pay(2) < price);
        // Over several connections no faster than over one.
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| pay(1));
            }
        });
        assert!(begun.elapsed() >= price * 3);
        // When the agent ends, nobody waits.
        signing.announce_end();
        assert!(pay(1) < price);
    }
}
