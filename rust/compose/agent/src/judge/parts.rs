//! Files of the store that a client names instead of sending them.

use std::collections::BTreeSet;

use touchstone_artifacts::agent::StorePart;
use touchstone_store::StorePath;

use super::{Client, Judge};
use crate::payload::OpenPart;
use crate::protocol::Refusal;

impl Judge {
    /// Opens the files that are parts of an image; none when one of them is no file that this client may name: whether that is there at all, the answer
    /// does not say.
    ///
    /// # Errors
    /// [`Refusal`] when nobody knows what the client may name.
    pub fn open_parts(
        &self,
        client: &Client,
        parts: &[StorePart],
    ) -> Result<Option<Vec<OpenPart>>, Refusal> {
        if parts.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let open = match client {
            Client::Build(admission) => {
                let inputs = admission.inputs(self)?;
                self.opened(parts, |path| inputs.get(path).is_some())
            }
            Client::User(_) => {
                let paths = parts.iter().map(|part| part.file.store_path().clone());
                let known = self.store.entries(&paths.collect::<BTreeSet<_>>())?;
                self.opened(parts, |path| known.contains_key(path))
            }
        };
        Ok(open)
    }

    fn opened(
        &self,
        parts: &[StorePart],
        may_name: impl Fn(&StorePath) -> bool,
    ) -> Option<Vec<OpenPart>> {
        let open = parts.iter().map(|part| {
            let leads_to = self.store.resolve(&part.file, &may_name).ok()?;
            let file = self.store.open(&leads_to).ok()?;
            (leads_to == part.file).then(|| OpenPart::new(part, file))?
        });
        open.collect()
    }
}
