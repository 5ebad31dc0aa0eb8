//! A model of the ESP that loses power: random sequences of installations, removals of generations, boots, blessings and losses of
//! power, on a file system that tears names, writes and removals as FAT does. After each, an oracle reads the ESP as firmware and
//! systemd-boot would.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // tests end loudly

mod disk;
mod firmware;
mod losses;
mod machine;
mod oracle;
mod random;
mod saboteur;
mod state;
mod volume;
mod world;

use losses::Losses;
use machine::Machine;
use oracle::Violation;
use random::Random;
use saboteur::{Saboteur, Seen};
use world::Layout;

/// Days in the life of one machine.
const DAYS: usize = 12;

/// Lets a machine live; the violation is what the oracle found.
fn live(seed: u64, saboteur: Saboteur, losses: &mut Losses) -> Result<(), Violation> {
    losses.begin();
    let mut random = Random::new(seed);
    let layout = *random.one(&[Layout::One, Layout::One, Layout::Mirrored, Layout::Extended]);
    losses.tell(format_args!("{layout:?}"));
    let mut machine = Machine::new(layout, saboteur);
    machine.install(&mut random, losses)?;
    for _ in 0..DAYS {
        let Some(started) = machine.boot(&mut random, losses)? else {
            // The first installation was interrupted, or FAT lost the only entry in the loader's own rename.
            machine.install(&mut random, losses)?;
            continue;
        };
        if random.percent(60) {
            machine.bless(&started, &mut random, losses)?;
        }
        change(&mut machine, &mut random);
        match random.percent(25) {
            true => machine.install_with_fault(&mut random, losses)?,
            false => machine.install(&mut random, losses)?,
        }
    }
    Ok(())
}

/// What people do to a machine between two installations.
fn change(machine: &mut Machine, random: &mut Random) {
    let world = &mut machine.world;
    match random.below(8) {
        0..4 => {
            world.generations.insert(world.next);
            world.next += 1;
        }
        4 => world.loader += 1,
        5 => world.tries = *random.one(&[None, Some(1), Some(2), Some(3)]),
        6 => {
            let goes = *random.one(&world.generations.iter().copied().collect::<Vec<u64>>());
            if world.generations.len() > 1 && Some(goes) != machine.running {
                world.generations.remove(&goes);
            }
        }
        _ => {}
    }
}

/// Lets machines live until so many distinct triples were looked at.
fn explore(wanted: usize, losses: &mut Losses) -> u64 {
    let mut seed = 0;
    while losses.distinct() < wanted {
        if let Err(violation) = live(seed, Saboteur::None, losses) {
            panic!("machine {seed}: {violation}, after\n{}", losses.story());
        }
        seed += 1;
    }
    seed
}

/// How many distinct triples are looked at: `TOUCHSTONE_MODEL_TRIPLES`, or a few thousand.
fn wanted() -> usize {
    let asked = std::env::var("TOUCHSTONE_MODEL_TRIPLES").ok();
    asked.map_or(5_000, |text| text.parse().unwrap())
}

#[test]
fn whatever_a_loss_of_power_leaves_the_machine_boots_what_it_ran() {
    let wanted = wanted();
    let mut losses = Losses::new(4, 50);
    let machines = explore(wanted, &mut losses);
    println!(
        "{} distinct triples of state, operation and what survived, in the lives of {machines} machines",
        losses.distinct()
    );
    assert!(losses.distinct() >= wanted);
}

/// What the oracle finds first when a sync is forgotten.
fn caught(saboteur: Saboteur) -> Violation {
    let mut losses = Losses::new(8, 50);
    let found = (0..200).find_map(|seed| live(seed, saboteur, &mut losses).err());
    found.unwrap_or_else(|| panic!("{saboteur:?} was not caught"))
}

#[test]
fn publishing_before_what_is_published_is_on_the_disk_is_caught() {
    let found = caught(Saboteur::Staging(Seen::Nothing));
    assert!(
        matches!(found, Violation::Torn(_) | Violation::Settings(_)),
        "{found}"
    );
}

#[test]
fn collecting_before_what_is_published_is_on_the_disk_is_caught() {
    let found = caught(Saboteur::Publishing(Seen::Nothing));
    assert!(!matches!(found, Violation::Counter(..)), "{found}");
}

#[test]
fn replacing_both_copies_of_the_loader_without_a_sync_between_them_is_caught() {
    let found = caught(Saboteur::Loader(Seen::Nothing));
    assert_eq!(found, Violation::NoLoader);
}

#[test]
fn publishing_entries_before_what_they_need_is_on_the_disk_is_caught() {
    let found = caught(Saboteur::Phases(Seen::Nothing));
    assert!(
        matches!(found, Violation::Torn(_) | Violation::NotAdmitted(_)),
        "{found}"
    );
}

#[test]
fn giving_clusters_away_before_the_name_is_gone_is_caught() {
    let found = caught(Saboteur::Unlinking);
    assert!(matches!(found, Violation::Torn(_)), "{found}");
}
