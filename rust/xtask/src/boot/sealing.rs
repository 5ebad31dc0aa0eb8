//! Secrets sealed under our policies: who gets at them is what real boots say.

use anyhow::{Result, bail, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Done, Order, Variables};
use touchstone_harness::progress::Stage;

use super::Outcome;
use super::each::each;

mod bench;
mod generation;
mod separator;
mod signed;
mod systemd;
mod updates;
mod user_space;
mod vault;

use bench::{Asked, Bench};
use generation::Generation;
use vault::{SECRET, Vault};

/// `TPM_RC_VALUE` of the first parameter: what the registers make is not among the digests of `PolicyOR`.
const NOT_AMONG_THEM: (&str, u32) = ("PolicyOR", 0x1c4);
/// The same: it is not the digest that was approved.
const NOT_APPROVED: (&str, u32) = ("PolicyAuthorize", 0x1c4);
/// `TPM_RC_POLICY_FAIL` of the first session: the session's digest is not the object's policy.
const ANOTHER_POLICY: (&str, u32) = ("Unseal", 0x99d);

/// The generations of the large policy, each with two specialisations.
const GENERATIONS: u32 = 40;

/// Seals under policies over one generation, over one that a key vouches for, and over 120, and boots some; with `all`, more of
/// them, under an update of dbx, and with systemd's own tools.
pub fn claims(inputs: &Inputs, all: bool, outcome: &mut Outcome) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(inputs, folder.path())?;
    one(&bench, outcome)?;
    signed(&bench, outcome)?;
    many(&bench, all, outcome)?;
    if all {
        updates::claims(&bench, outcome)?;
        systemd::claims(&bench, outcome)?;
        separator::claims(&bench, outcome)?;
    }
    Ok(())
}

/// What has to come of an order.
#[derive(Clone, Copy)]
enum Expected {
    /// The secret.
    Open,
    /// This refusal, on every way.
    Shut((&'static str, u32)),
    /// The register is another now.
    Extended,
}

/// A policy over one generation, before its first phase and at it.
fn one(bench: &Bench<'_>, outcome: &mut Outcome) -> Result<()> {
    use Expected::{Extended, Open, Shut};
    let [first, second] = [1, 2].map(Generation::plain);
    let before = bench.policy(&[bench.predict(&[first], &Asked::at(""))?])?;
    let at = bench.policy(&[bench.predict(&[first], &Asked::at("enter-initrd"))?])?;
    let vault = Vault::seal(&bench.root, &[&before, &at])?;
    let [before, at] = vault.sealed() else {
        bail!("two secrets were sealed")
    };
    let (before, at) = (before.order(0)?, at.order(0)?);
    let orders = [
        before.clone(),
        at.clone(),
        phase("enter-initrd"),
        before,
        at.clone(),
        phase("leave-initrd"),
        at,
    ];
    let shut = Shut(ANOTHER_POLICY);
    let predicted = [Open, shut, Extended, shut, Open, Extended, shut];
    let other = [shut, shut, Extended, shut, shut, Extended, shut];
    for (claim, generation, secure_boot, expected) in [
        (
            "a secret opens for the predicted generation, at the predicted phase alone",
            first,
            true,
            predicted,
        ),
        (
            "no secret opens for another generation of the same signer",
            second,
            true,
            other,
        ),
        (
            "no secret opens for the predicted generation with Secure Boot off",
            first,
            false,
            other,
        ),
    ] {
        let verdict = boot(
            bench,
            &vault,
            generation,
            bench.variables(secure_boot)?,
            &orders,
            &expected,
        );
        outcome.add(claim, verdict);
    }
    Ok(())
}

/// A policy that renews itself: what is sealed to a key opens by the key's signature for the generation that runs.
fn signed(bench: &Bench<'_>, outcome: &mut Outcome) -> Result<()> {
    let [first, second] = [1, 2].map(Generation::plain);
    let policy = |generation| bench.policy(&[bench.predict(&[generation], &Asked::at(""))?]);
    let (of_first, of_second) = (policy(first)?, policy(second)?);
    let approvals = bench.approvals(&[&of_first, &of_second])?;
    let vault = Vault::seal(&bench.root, &[&approvals])?;
    let [sealed] = vault.sealed() else {
        bail!("one secret was sealed")
    };
    let orders = [sealed.order(0)?, sealed.order(1)?];
    let expected = [Expected::Shut(NOT_APPROVED), Expected::Open];
    let verdict = boot(
        bench,
        &vault,
        second,
        bench.variables(true)?,
        &orders,
        &expected,
    );
    let claim = "what was sealed to a key opens by its signature for this generation alone";
    outcome.add(claim, verdict);
    Ok(())
}

/// One policy over 120.
fn many(bench: &Bench<'_>, all: bool, outcome: &mut Outcome) -> Result<()> {
    let numbers: Vec<u32> = (1..=GENERATIONS).collect();
    let count = 3 * numbers.len();
    let stage = Stage::begin(format!("Building, signing and predicting {count} UKIs"));
    let predictions = each(&numbers, |number| {
        bench.predict(&Generation::with_specialisations(*number), &Asked::at(""))
    })?;
    let policy = bench.policy(&predictions)?;
    stage.done("one policy");
    let branches = policy.branches.len();
    ensure!(
        branches == count,
        "the policy has {branches} branches for {count} generations"
    );
    let vault = Vault::seal(&bench.root, &[&policy])?;
    let [sealed] = vault.sealed() else {
        bail!("one secret was sealed")
    };
    let order = sealed.order(0)?;
    // Eight branches are a node, which a way begins with.
    let ways = ways(&order);
    ensure!(ways == count.div_ceil(8), "there are {ways} ways");
    let [_, _, last] = Generation::with_specialisations(GENERATIONS);
    let [_, middle, _] = Generation::with_specialisations(GENERATIONS / 2);
    let (first, unknown) = (Generation::plain(1), Generation::plain(GENERATIONS + 1));
    let boots = [
        (last, Expected::Open),
        (first, Expected::Open),
        (middle, Expected::Open),
        (unknown, Expected::Shut(NOT_AMONG_THEM)),
    ];
    for (generation, expected) in boots.into_iter().take(if all { 4 } else { 1 }) {
        let claim = match expected {
            Expected::Open => format!("a secret for {count} generations opens for {generation}"),
            _ => format!("a secret for {count} generations does not open for {generation}"),
        };
        let orders = std::slice::from_ref(&order);
        let verdict = boot(
            bench,
            &vault,
            generation,
            bench.variables(true)?,
            orders,
            &[expected],
        );
        outcome.add(&claim, verdict);
    }
    Ok(())
}

fn phase(word: &str) -> Order {
    Order::Extend {
        pcr: 11,
        word: word.to_owned(),
    }
}

/// Boots a generation with the secrets in its TPM, and looks at what came of the orders.
fn boot(
    bench: &Bench<'_>,
    vault: &Vault,
    generation: Generation,
    variables: Variables,
    orders: &[Order],
    expected: &[Expected],
) -> Result<()> {
    let stage = Stage::begin(format!("Booting {generation}"));
    let secure_boot = variables.secure_boot;
    let machine = bench.machine(&bench.uki(generation)?)?.variables(variables);
    let boot = machine.tpm_state(vault.state()).orders(orders).boot()?;
    boot.reached()?;
    stage.done("reached its end");
    ensure!(
        boot.report.secure_boot == Some(secure_boot),
        "Secure Boot is not as it was to be"
    );
    ensure!(
        boot.report.cmdline == generation.command_line(),
        "another generation booted: {}",
        boot.report.cmdline
    );
    for (number, (expected, order)) in expected.iter().zip(orders).enumerate() {
        let done = boot.report.done.get(&number);
        ensure!(
            as_expected(*expected, order, done),
            "of order {number} came {done:?}"
        );
    }
    Ok(())
}

fn as_expected(expected: Expected, order: &Order, done: Option<&Done>) -> bool {
    match (expected, done) {
        (Expected::Open, Some(Done::Unsealed(secret))) => secret == SECRET,
        (Expected::Extended, Some(Done::Extended(_))) => true,
        (Expected::Shut((command, code)), Some(Done::Refused(refusals))) => {
            refusals.len() == ways(order)
                && refusals
                    .iter()
                    .all(|(by, with)| by == command && *with == code)
        }
        _ => false,
    }
}

/// How many ways the guest tries.
fn ways(order: &Order) -> usize {
    match order {
        Order::Unseal(unseal) => unseal.paths.len(),
        Order::Extend { .. } | Order::Run { .. } | Order::List { .. } => 0,
    }
}
