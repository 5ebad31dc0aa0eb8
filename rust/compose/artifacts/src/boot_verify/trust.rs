//! Who is trusted: the manifest's signatures, and whether firmware would start the images.

use std::collections::BTreeSet;

use touchstone_bootspec::touchstone::NamedFile;
use touchstone_store::{Manifest, PublicKey, distinct_contents};

use super::VerifyArtifacts;
use super::document::{DOCUMENT, Documented};
use super::files::Intact;
use super::finding::{Report, Rule};
use crate::manifest::MANIFEST_LIMIT;
use crate::source::read_small;
use crate::verify::VerifyPe;
use crate::{Context, Error, Files};

/// The keys that a request trusts.
pub(super) struct Trust {
    keys: Vec<PublicKey>,
    needed: usize,
}

impl Trust {
    /// Reads the keys of a request.
    ///
    /// # Errors
    /// [`Error::Request`] for what is no key, and for numbers that no manifest could satisfy or any would.
    pub(super) fn of(request: &VerifyArtifacts) -> Result<Trust, Error> {
        let refused = |fact: String| Error::Request {
            fact,
            help: "give public keys as `name:base64`, and a `sigsNeeded` between 1 and their number",
        };
        let keys = request.trusted_keys.iter();
        let keys = keys
            .map(|key| PublicKey::parse(key).map_err(|error| refused(error.to_string())))
            .collect::<Result<Vec<_>, _>>()?;
        let (needed, distinct) = (request.sigs_needed.unwrap_or(1), distinct_contents(&keys));
        let contradicts = if keys.is_empty() {
            request.sigs_needed.is_some()
        } else {
            needed == 0 || needed > distinct
        };
        match contradicts {
            true => Err(refused(format!(
                "{needed} signatures are needed of {distinct} different trusted keys"
            ))),
            false if request.dbx.is_some() && request.db.is_none() => {
                Err(refused("`dbx` is given without `db`".to_owned()))
            }
            false => Ok(Trust { keys, needed }),
        }
    }

    /// Looks at the manifest and at the images.
    pub(super) fn verify(
        &self,
        request: &VerifyArtifacts,
        documented: &Documented,
        intact: &Intact<'_>,
        report: &mut Report,
        context: &Context<'_>,
    ) {
        match &documented.touchstone.manifest {
            Some(named) if intact.contains(named.path.as_str()) => {
                self.manifest(context.files, named, documented, report);
            }
            None if !self.keys.is_empty() => {
                report.otherwise(
                    DOCUMENT,
                    Rule::Manifest,
                    "it names no manifest that a key could have signed",
                );
            }
            _ => (),
        }
        if request.db.is_some() {
            images(request, documented, intact, report, context);
        } else {
            report.note("without `db`, signatures of the images were not judged".to_owned());
        }
    }

    fn manifest(
        &self,
        files: &dyn Files,
        named: &NamedFile,
        documented: &Documented,
        report: &mut Report,
    ) {
        let name = named.path.as_str();
        let path = documented.folder.join(name);
        let read =
            read_small(files, "manifest", &path, MANIFEST_LIMIT).map_err(|error| error.to_string());
        let read = read.and_then(|bytes| Manifest::read(&bytes).map_err(|error| error.to_string()));
        let manifest = match read {
            Ok(manifest) => manifest,
            Err(error) => return report.otherwise(name, Rule::Manifest, error),
        };
        let (listed, wanted) = (manifest.toplevel().to_string(), &documented.core.toplevel);
        if listed != *wanted {
            let fact =
                format!("it lists the closure of {listed}, the bootspec's toplevel is {wanted}");
            report.otherwise(name, Rule::Manifest, fact);
        }
        report.compared(format!("{name}: the closure of {wanted}"));
        if self.keys.is_empty() {
            return report.note(
                "without `trustedKeys`, signatures of the manifest were not judged".to_owned(),
            );
        }
        match manifest.verify(&self.keys, self.needed) {
            Ok(()) => report.compared(format!("{name}: {} signatures of each path", self.needed)),
            Err(error) => report.otherwise(name, Rule::Manifest, error),
        }
    }
}

/// Whether firmware would start each image.
fn images(
    request: &VerifyArtifacts,
    documented: &Documented,
    intact: &Intact<'_>,
    report: &mut Report,
    context: &Context<'_>,
) {
    let images = documented.touchstone.images();
    let names: BTreeSet<&str> = images.map(|image| image.file.path.as_str()).collect();
    for name in names.into_iter().filter(|name| intact.contains(name)) {
        let verify = VerifyPe {
            file: documented.folder.join(name),
            db: request.db.clone(),
            dbx: request.dbx.clone(),
            ..VerifyPe::default()
        };
        match verify.run(context) {
            Ok(verdict) if verdict.boots => {
                report.compared(format!("{name}: firmware with this db starts it"));
            }
            Ok(verdict) => {
                for reason in verdict.reasons {
                    report.otherwise(
                        name,
                        Rule::Signature,
                        format!("{}: {}", reason.rule, reason.why),
                    );
                }
            }
            Err(error) => report.otherwise(name, Rule::Signature, error),
        }
    }
}
