//! Files of the store that a client names instead of sending them.

use std::collections::BTreeSet;

use touchstone_artifacts::agent::StorePart;
use touchstone_store::StorePath;

use super::known::KnownImage;
use super::{Client, Judge};
use crate::payload::OpenPart;
use crate::protocol::{Refusal, Request};

impl Judge {
    /// Opens the files that are parts of an image; none when one of them is no file that this client may name: whether that is there at all, the answer
    /// does not say.
    ///
    /// # Errors
    /// [`Refusal`] when nobody knows what the client may name.
    pub fn open_parts(
        &self,
        client: &Client,
        asked: &Request,
    ) -> Result<Option<Vec<OpenPart>>, Refusal> {
        let parts = asked.from_store();
        if parts.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if !self.boots_systems(client, asked)? {
            return Ok(None);
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

    /// Whether some rule could sign what is asked for what a system of the store names, kernel and initrds: content that the policy has itself is judged as it is sent.
    fn boots_systems(&self, client: &Client, asked: &Request) -> Result<bool, Refusal> {
        let names: Vec<&str> = match asked {
            Request::Authenticode { key, .. } => {
                let operations = self.of_images(client, key)?.into_iter();
                operations.map(|(_, name)| name).collect()
            }
            Request::PcrPolicy { key, .. } => {
                let operations = self.of_pcrs(client, key)?.into_iter();
                operations
                    .map(|(_, operation)| operation.image.as_str())
                    .collect()
            }
            Request::Hello { .. } | Request::Key { .. } | Request::Manifest { .. } => Vec::new(),
        };
        let mut images = names.into_iter().filter_map(|name| self.images.get(name));
        Ok(images.any(|image| match image {
            KnownImage::Uki(uki) => {
                let wanted = &uki.wanted;
                wanted.kernel.of_toplevel.is_some() && wanted.initrd.of_toplevel.is_some()
            }
            KnownImage::Loader(_) | KnownImage::Addon(_) => false,
        }))
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
