//! A UKI whose every place is decided, and whose bytes are still to be written.

use std::fs::File;
use std::io::{Seek, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use touchstone_pe::SectionObserver;
use touchstone_pe::layout::{Layout, Written};
use touchstone_pe::uki::{plan, read_stub};

use super::{Parts, unwritable};
use crate::agent::{AgentError, Progress, Shown, ShownImage, StorePart};
use crate::input::{Input, write_failed};
use crate::policy::PcrSigner;
use crate::signing_key::{AgentSigner, Answered};
use crate::{Context, Error};

/// A UKI that is planned.
pub(super) struct PlannedUki<'p> {
    parts: &'p Parts,
    pcrs: Option<&'p PcrSigner>,
    stub: Input,
    layout: Layout<'static>,
    /// What an agent finds in its store.
    in_store: Vec<StorePart>,
}

impl<'p> PlannedUki<'p> {
    /// Plans the UKI of `parts`, with the `.pcrsig` that `pcrs` makes.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn new(
        parts: &'p Parts,
        pcrs: Option<&'p PcrSigner>,
        shown: &Path,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        let refused = |source| Error::Uki {
            file: parts.at_fault(&source),
            source,
        };
        let mut stub = Input::open(context.files, "stub", &parts.stub)?;
        let image = read_stub(&mut stub).map_err(refused)?;
        let opened = parts.opened_for(context.files, pcrs, shown)?;
        let layout = plan(&image, &mut stub, opened).map_err(refused)?;
        let files = layout.files().into_iter();
        let in_store = files.filter_map(|file| StorePart::of(file, context.files));
        Ok(Self {
            in_store: in_store.collect(),
            parts,
            pcrs,
            stub,
            layout,
        })
    }

    /// How many bytes it will have.
    pub(super) fn len(&self) -> u64 {
        self.layout.len()
    }

    /// What an agent finds in its store.
    pub(super) fn in_store(&self) -> &[StorePart] {
        &self.in_store
    }

    /// Writes it, not signed.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn write<W: Write + Seek + Send>(
        self,
        shown: &Path,
        out: &mut W,
        observers: &mut [&mut dyn SectionObserver],
        context: &Context<'_>,
    ) -> Result<Written, Error> {
        let (stub, pcrs, total) = (&self.parts.stub, self.pcrs, self.len());
        let mut base = self.stub;
        let mut passing = pcrs.map(PcrSigner::observer);
        let mut observers: Vec<&mut dyn SectionObserver> = observers
            .iter_mut()
            .map(|observer| &mut **observer as &mut dyn SectionObserver)
            .chain(
                passing
                    .as_mut()
                    .map(|passing| passing as &mut dyn SectionObserver),
            )
            .collect();
        let mut progress = |done| context.progress.bytes(done, total);
        let written = self
            .layout
            .write(&mut base, out, &mut observers, &mut progress);
        written.map_err(|error| {
            let failed = write_failed(error, ("stub", stub), shown);
            let why = pcrs.and_then(|signer| signer.failure(stub, shown));
            why.unwrap_or(failed)
        })
    }

    /// Writes it, and asks an agent for its signature meanwhile. It is asked once more, and shown the image as it is, where that took too long, or where the agent has other
    /// files in its store.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn write_shown<'a>(
        self,
        agent: &'a AgentSigner<'a>,
        shown: &Path,
        out: &mut File,
        observers: &mut [&mut dyn SectionObserver],
        context: &Context<'_>,
    ) -> Result<(Written, Answered<'a>), Error> {
        let reading = out.try_clone();
        let reading = reading.map_err(|source| unwritable(shown, source))?;
        let (progress, in_store) = (Progress::default(), self.in_store.clone());
        let image = ShownImage::arising(&reading, self.len(), &progress).with_parts(&in_store);
        let ask = || agent.ask(&image);
        let (written, answered) = thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, ask).ok();
            let mut arising = Shown::new(out, &progress);
            let written = self.write(shown, &mut arising, observers, context);
            drop(arising);
            let answered = match beside {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // No thread is to be had: now, then.
                None => ask(),
            };
            (written, answered)
        });
        let written = written?;
        let once_more = match &answered {
            Ok(answered) => !in_store.is_empty() && !answered.is_of(&written.authenticode_sha256),
            Err(error) => was_in_a_hurry(error),
        };
        if !once_more {
            return Ok((written, answered?));
        }
        let whole = ShownImage::whole(&reading).map_err(|source| unwritable(shown, source))?;
        Ok((written, agent.ask(&whole)?))
    }
}

/// Whether it may be for the time that writing took that there is no answer.
fn was_in_a_hurry(error: &Error) -> bool {
    let Error::Agent { source, .. } = error else {
        return false;
    };
    match &**source {
        AgentError::Connection { .. } => true,
        AgentError::Refused { code, .. } => code == "agent.slow",
        _ => false,
    }
}
