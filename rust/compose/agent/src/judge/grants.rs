//! Grants: which derivations a person has said to be the ones that are meant.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::refuse::refuse;
use super::{Judge, is_among};
use crate::identity::{Derivation, Identity};
use crate::policy::GrantSettings;
use crate::protocol::{PendingGrant, Refusal};

/// Who may do everything.
const ROOT: u32 = 0;

/// The grants that hold. They are forgotten when the agent ends, and end by a clock that nobody can set.
#[derive(Debug, Clone, Default)]
pub struct Grants(BTreeMap<Derivation, Vec<Grant>>);

#[derive(Debug, Clone)]
struct Grant {
    by: Identity,
    until: Instant,
    /// How many builds may begin.
    builds: u32,
}

impl Grants {
    /// Takes back what was granted to a derivation; whether there was something.
    pub fn revoke(&mut self, derivation: &Derivation) -> bool {
        self.0.remove(derivation).is_some()
    }

    /// Those that hold now, which is `clock` in seconds since 1970-01-01 UTC.
    pub fn pending(&self, now: Instant, clock: u64) -> Vec<PendingGrant> {
        let each = |(derivation, grants): (&Derivation, &Vec<Grant>)| {
            let holding = grants.iter().filter(|grant| grant.holds(now));
            let pending = holding.map(|grant| PendingGrant {
                derivation: derivation.clone(),
                by: who(&grant.by),
                until: clock + grant.until.saturating_duration_since(now).as_secs(),
            });
            pending.collect::<Vec<_>>()
        };
        self.0.iter().flat_map(each).collect()
    }

    fn forget(&mut self, now: Instant) {
        for grants in self.0.values_mut() {
            grants.retain(|grant| grant.holds(now));
        }
        self.0.retain(|_, grants| !grants.is_empty());
    }

    /// Adds a grant, in the place of an earlier one of the same person. Whether that person may do so, [`Judge::may_grant`] says.
    pub fn grant(
        &mut self,
        derivation: &Derivation,
        by: &Identity,
        now: Instant,
        settings: &GrantSettings,
    ) {
        self.forget(now);
        let grants = self.0.entry(derivation.clone()).or_default();
        grants.retain(|grant| grant.by != *by);
        grants.push(Grant {
            by: by.clone(),
            until: now + Duration::from_secs(settings.seconds),
            builds: settings.builds,
        });
    }

    /// Whether one of these users, or root, has granted a derivation.
    pub(super) fn has<'a>(
        &self,
        derivation: &Derivation,
        requesters: impl IntoIterator<Item = &'a String> + Clone,
        now: Instant,
    ) -> bool {
        let mut held = self.of(derivation).iter().filter(|grant| grant.holds(now));
        held.any(|grant| is_root(&grant.by) || is_among(&grant.by, requesters.clone()))
    }

    /// Counts a build of a derivation that begins.
    ///
    /// # Errors
    /// [`Refusal`] when no grant of it holds any more.
    pub fn count(&mut self, derivation: &Derivation, now: Instant) -> Result<(), Refusal> {
        self.forget(now);
        let grants = self.0.get_mut(derivation);
        for grant in grants.ok_or_else(|| not_granted(derivation))? {
            grant.builds = grant.builds.saturating_sub(1);
        }
        Ok(())
    }

    fn of(&self, derivation: &Derivation) -> &[Grant] {
        self.0
            .get(derivation)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

impl Grant {
    fn holds(&self, now: Instant) -> bool {
        now < self.until && self.builds > 0
    }
}

pub(super) fn not_granted(derivation: &Derivation) -> Refusal {
    refuse(
        "policy.grant",
        format!(
            "nobody has granted {derivation}, and its name alone proves nothing: whoever may use Nix chooses names"
        ),
        "let one of the rule's requesters run `touchstone agent grant` with this very path, and build again",
    )
}

fn is_root(user: &Identity) -> bool {
    matches!(user, Identity::User { uid: ROOT, .. })
}

fn who(user: &Identity) -> String {
    match user {
        Identity::User {
            name: Some(name), ..
        } => name.clone(),
        Identity::User { uid, .. } => uid.to_string(),
        Identity::Build { derivation } => derivation.to_string(),
    }
}

impl Judge {
    /// Whether somebody may let a derivation have what rules with `requesters` give: a requester of a rule that it matches, or root. The
    /// derivation must be in the store and ask for the agent, for a grant is for what its name was made of, and for nothing else.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn may_grant(&self, derivation: &Derivation, by: &Identity) -> Result<(), Refusal> {
        self.recipe(derivation)?;
        let rules = self.policy.document().rules.iter();
        let mut wanted = rules.filter_map(|rule| rule.derivations.as_ref());
        let own = wanted.any(|wanted| {
            let mut names = wanted.names.iter();
            let named = names.any(|name| name.matches(derivation.name()));
            named && (is_root(by) || is_among(by, &wanted.requesters))
        });
        match own {
            true => Ok(()),
            false => Err(refuse(
                "policy.grant",
                format!("no rule is for {derivation} and has {by} among its `requesters`"),
                "see `names` and `requesters` of the policy's rules",
            )),
        }
    }
}
