//! Alternatives of any number: PolicyOR of PolicyORs.

use super::digest::ALTERNATIVES;
use super::{PolicyDigest, PolicyError};

/// One policy for any number of alternatives.
///
/// `TPM2_PolicyOR` takes 8 digests. So the alternatives, without repetitions and in the order of their bytes, are taken
/// by eight; the policies of the eights are taken by eight in turn, until one is left. What is left alone at the end of
/// a level goes up as it is, for a choice of one does not exist. The same set gives the same tree in whatever order it
/// is named. A tree of one alternative is that alternative, without a PolicyOR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTree {
    /// From the alternatives to the root, which is the only one of the last level.
    levels: Vec<Vec<PolicyDigest>>,
}

impl PolicyTree {
    /// The tree of these alternatives.
    ///
    /// # Errors
    /// [`PolicyError::NoAlternative`], or [`PolicyError::OtherHash`] when they are not of one hash.
    pub fn new(
        alternatives: impl IntoIterator<Item = PolicyDigest>,
    ) -> Result<PolicyTree, PolicyError> {
        let mut level: Vec<PolicyDigest> = alternatives.into_iter().collect();
        level.sort_unstable();
        level.dedup();
        if level.is_empty() {
            return Err(PolicyError::NoAlternative);
        }
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level
                .chunks(*ALTERNATIVES.end())
                .map(node)
                .collect::<Result<_, _>>()?;
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Ok(PolicyTree { levels })
    }

    /// The policy: what an object is sealed to.
    pub fn root(&self) -> Option<PolicyDigest> {
        self.levels.last()?.first().copied()
    }

    /// From the alternatives (in the order of their bytes) to the root.
    pub fn levels(&self) -> &[Vec<PolicyDigest>] {
        &self.levels
    }

    /// The alternatives, without repetitions, in the order of their bytes.
    pub fn alternatives(&self) -> &[PolicyDigest] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The PolicyORs by which a session that satisfies this alternative reaches the root: for each, from the first on,
    /// the digests that `TPM2_PolicyOR` is given. Empty when it is the only one; none when it is not of this tree.
    pub fn path(&self, alternative: &PolicyDigest) -> Option<Vec<Vec<PolicyDigest>>> {
        let mut place = self.alternatives().binary_search(alternative).ok()?;
        let mut path = Vec::new();
        for level in self.levels.iter().filter(|level| level.len() > 1) {
            place /= ALTERNATIVES.end();
            let node = level.chunks(*ALTERNATIVES.end()).nth(place)?;
            if node.len() > 1 {
                path.push(node.to_vec());
            }
        }
        Some(path)
    }
}

/// What stands for these digests on the next level.
fn node(digests: &[PolicyDigest]) -> Result<PolicyDigest, PolicyError> {
    match digests {
        [alone] => Ok(*alone),
        several => PolicyDigest::or(several),
    }
}
