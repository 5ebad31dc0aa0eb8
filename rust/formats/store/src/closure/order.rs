//! References before referrers.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NarInfo, StorePath};

/// Paths that refer to each other in a circle: no store that anybody built has any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} refers to itself by way of other paths, which no path of a store does")]
pub struct Circle(pub StorePath);

/// Puts entries in an order in which each comes after all that it refers to, as far as that is among them; of those that could come next
/// the first by name. A path that refers to itself is no circle.
///
/// # Errors
/// [`Circle`].
pub fn references_first(infos: impl IntoIterator<Item = NarInfo>) -> Result<Vec<NarInfo>, Circle> {
    let keyed = |info: NarInfo| (info.entry.path.clone(), info);
    let mut infos: BTreeMap<StorePath, NarInfo> = infos.into_iter().map(keyed).collect();
    let mut missing: BTreeMap<StorePath, usize> = BTreeMap::new();
    let mut referrers: BTreeMap<StorePath, Vec<StorePath>> = BTreeMap::new();
    for (path, info) in &infos {
        let among = info.entry.references.iter();
        let among = among.filter(|reference| *reference != path && infos.contains_key(reference));
        let mut count = 0;
        for reference in among {
            count += 1;
            let referrers = referrers.entry(reference.clone()).or_default();
            referrers.push(path.clone());
        }
        missing.insert(path.clone(), count);
    }
    let ready = missing.iter().filter(|(_, count)| **count == 0);
    let mut ready: BTreeSet<StorePath> = ready.map(|(path, _)| path.clone()).collect();
    let mut ordered = Vec::with_capacity(infos.len());
    while let Some(path) = ready.pop_first() {
        for referrer in referrers.remove(&path).unwrap_or_default() {
            if let Some(count) = missing.get_mut(&referrer) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(referrer);
                }
            }
        }
        ordered.extend(infos.remove(&path));
    }
    match infos.into_keys().next() {
        Some(path) => Err(Circle(path)),
        None => Ok(ordered),
    }
}
