//! The same work for many items, on all processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, Result};

/// Machines at a time: more gain nothing, as each has little to do but to wait for the others' processor.
const MOST: usize = 4;

/// Does the work for each item, several at a time; the answers are in the items' order.
///
/// # Errors
/// The first one in that order.
pub fn each<T: Sync, A: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<A> + Sync,
) -> Result<Vec<A>> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let (sender, answers) = channel();
    thread::scope(|scope| {
        for _ in 0..processors.min(MOST) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    // It fails only when nobody waits for answers any more.
                    let _ = sender.send((at, work(item)));
                }
            });
        }
    });
    drop(sender);
    let mut all: Vec<(usize, Result<A>)> = answers.into_iter().collect();
    all.sort_by_key(|(at, _)| *at);
    let all: Result<Vec<A>> = all.into_iter().map(|(_, answer)| answer).collect();
    all.and_then(|all| {
        let complete = all.len() == items.len();
        complete.then_some(all).context("a worker ended early")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        let answers = each(&items, |item| Ok(item * 2)).unwrap();
        assert_eq!(
            answers,
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
        let failing = each(&items, |item| {
            anyhow::ensure!(*item != 50, "fifty");
            Ok(())
        });
        assert_eq!(failing.unwrap_err().to_string(), "fifty");
    }
}
