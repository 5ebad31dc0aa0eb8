//! A generation that never comes up loses its tries, and the one before it boots by itself.

use anyhow::Result;
use touchstone_harness::Inputs;
use touchstone_harness::boot::Order;

use super::menu::Suite;
use crate::boot::Outcome;
use crate::boot::appliance::{Appliance, BOOT_SECRET, INSTALLER, Story, Which, succeeded};

/// How often a new generation is tried.
pub const TRIES: u32 = 2;

/// Boots generation 2, which is blessed and installs generation 3; then 3 until its tries are used up, and what comes then.
///
/// # Errors
/// When a machine cannot be made, or another generation comes up than the one that the story needs.
pub fn claims(inputs: &Inputs, suite: Suite, outcome: &mut Outcome) -> Result<()> {
    let appliance = Appliance::build(inputs, suite.name, TRIES)?;
    let tree = appliance.make_root()?;
    for (number, which) in [(1, Which::First), (2, Which::Second)] {
        appliance.copy(&tree, which)?;
        appliance.set_profile(&tree, number, which)?;
    }
    let esp = appliance.install(&tree, Which::Second)?;
    appliance.copy(&tree, Which::Third)?;
    appliance.set_profile(&tree, 3, Which::Third)?;
    let machine = appliance.machine(&tree, esp)?;
    let about = format!("systemd-boot {}", suite.version);
    let mut story = Story::begin(&appliance, machine, &about, outcome);
    tell(&mut story, appliance.toplevel(Which::Third))
}

fn tell(story: &mut Story<'_>, third: &str) -> Result<()> {
    let install = Order::run(INSTALLER, &[third]);
    let orders = [Order::run(INSTALLER, &["bless"]), install.clone()];
    let boot = story.boot("at first", Which::Second, &orders)?;
    story.claim("a generation that came up is blessed", succeeded(&boot, 0));
    story.claim(
        "the running generation installs another one",
        succeeded(&boot, 1),
    );
    let verdict = entries(story, "+2");
    story.claim("what is blessed has no counter, what is new +2", verdict);

    let boot = story.boot("for the first of its tries", Which::Third, &[install])?;
    story.claim(
        "what is installed already can be installed again",
        succeeded(&boot, 0),
    );
    let verdict = entries(story, "+1-1");
    story.claim(
        "a start takes a try, and no installer gives it back",
        verdict,
    );

    story.boot("for the second of its tries", Which::Third, &[])?;
    let verdict = entries(story, "+0-2");
    story.claim("the next start takes the last one", verdict);

    story.boot("by itself after that", Which::Second, &[])?;
    let verdict = entries(story, "+0-2");
    story.claim("no name changes where something good boots", verdict);
    let secret = story.machine().read_esp(BOOT_SECRET).map(drop);
    story.claim("what others keep on the ESP is there at the end", secret);
    let sound = story.machine().check_esp();
    story.claim("the ESP is sound at the end", sound);
    Ok(())
}

/// Whether the entries are those of all generations, with this counter at the third.
fn entries(story: &Story<'_>, counter: &str) -> Result<()> {
    let names = [
        ("1", Which::First, "+2"),
        ("2", Which::Second, ""),
        ("2--rescue", Which::Rescue, "+2"),
        ("3", Which::Third, counter),
    ];
    let names = names.map(|(named, which, counter)| story.entry(named, which, counter));
    story.entries(&names.into_iter().collect::<Result<Vec<_>>>()?)
}
