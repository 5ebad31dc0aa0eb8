//! Profiles of an image: that each boots what its command line names, with the kernel and the initrd that belong to it.

use std::collections::BTreeSet;

use touchstone_pe::Section;
use touchstone_store::{StoreFile, StorePath};

use super::command_line::{self, Line};
use super::facts::Facts;
use super::hashing::Hashing;
use super::initrd;
use super::known::KnownUki;
use super::refuse::refuse;
use super::system::{self, Described, System};
use super::uki::Systems;
use crate::policy::OfToplevel;
use crate::protocol::Refusal;

/// What the profiles of an image are held against.
pub(super) struct Profiles<'scope, 'env> {
    known: &'env KnownUki,
    facts: &'env Facts<'env>,
    systems: &'env Systems,
    hashing: Hashing<'scope, 'env>,
    /// Pairs of kernel and initrd (sections, by their places) that were judged already, each with its system.
    judged: BTreeSet<(usize, usize, StorePath)>,
}

impl<'scope, 'env> Profiles<'scope, 'env> {
    pub(super) fn new(
        known: &'env KnownUki,
        facts: &'env Facts<'env>,
        systems: &'env Systems,
        hashing: Hashing<'scope, 'env>,
    ) -> Self {
        Self {
            known,
            facts,
            systems,
            hashing,
            judged: BTreeSet::new(),
        }
    }

    /// Sees that a profile boots what its command line names, with the kernel and initrd that belong to it, if these are what they were, as
    /// [`finish`](Self::finish) says.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn judge(&mut self, profile: &[usize]) -> Result<(), Refusal> {
        let (index, _) = self.section(profile, ".cmdline")?;
        let line = command_line::read(self.facts.text(index).unwrap_or_default())?;
        let toplevel = system::toplevel(line.init)?;
        let system = self.systems.get(&toplevel);
        let system = system.ok_or_else(|| missing(".cmdline"))?;
        command_line_of(&line, system, self.known)?;
        let (kernels, linux) = self.section(profile, ".linux")?;
        let (initrds, initrd) = self.section(profile, ".initrd")?;
        // Most profiles have those of the first.
        if !self.judged.insert((kernels, initrds, toplevel)) {
            return Ok(());
        }
        let kernel = self.kernel(linux, system)?;
        let files = self.initrds(initrd, system)?;
        // In the order in which they come in.
        let kernel_first = linux.raw_offset < initrd.raw_offset;
        if kernel_first {
            self.is_kernel(linux, kernel.as_ref(), system)?;
        }
        if let Some(files) = files {
            let content = self.facts.content_of(initrd);
            initrd::check(content, self.hashing.store(), &files, self.systems.lines())?;
        }
        if !kernel_first {
            self.is_kernel(linux, kernel.as_ref(), system)?;
        }
        Ok(())
    }

    /// Sees that what the profiles were compared with is what it was.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn finish(self) -> Result<(), Refusal> {
        self.hashing.finish()
    }

    /// The section of a profile that has a name, and its place.
    fn section(&self, profile: &[usize], name: &str) -> Result<(usize, &'env Section), Refusal> {
        let facts = self.facts;
        let mut own = profile
            .iter()
            .filter_map(|index| Some((*index, facts.section(*index)?)));
        let found = own.find(|(_, section)| section.name.as_str() == name);
        found.ok_or_else(|| missing(name))
    }

    /// The kernel that a system brings; none where the policy names this one itself.
    fn kernel(&self, linux: &Section, system: &System) -> Result<Option<StoreFile>, Refusal> {
        let digest = self.facts.content(linux);
        if digest.is_some_and(|digest| self.known.kernels.contains(&digest)) {
            return Ok(None);
        }
        let Some(wanted) = &self.known.wanted.kernel.of_toplevel else {
            return Err(wrong_kernel("the kernel is none that the policy names"));
        };
        self.named(&described(system)?.kernel, wanted).map(Some)
    }

    fn is_kernel(
        &self,
        linux: &Section,
        file: Option<&StoreFile>,
        system: &System,
    ) -> Result<(), Refusal> {
        let Some(file) = file else {
            return Ok(());
        };
        match system::is_kernel(self.hashing.store(), file, self.facts.content_of(linux))? {
            true => Ok(()),
            false => Err(wrong_kernel(&format!(
                "the kernel is not {file}, which {} boots with",
                system.toplevel
            ))),
        }
    }

    /// The initrds that a system brings; none where the policy names this one itself.
    fn initrds(
        &self,
        initrd: &Section,
        system: &System,
    ) -> Result<Option<Vec<StoreFile>>, Refusal> {
        let digest = self.facts.content(initrd);
        if digest.is_some_and(|digest| self.known.initrds.contains(&digest)) {
            return Ok(None);
        }
        let Some(wanted) = &self.known.wanted.initrd.of_toplevel else {
            return Err(initrd::wrong("it is none that the policy names"));
        };
        let files = described(system)?.initrds.iter();
        let files = files.map(|file| self.named(file, wanted));
        files.collect::<Result<_, _>>().map(Some)
    }

    fn named(&self, file: &StoreFile, wanted: &OfToplevel) -> Result<StoreFile, Refusal> {
        system::named(&self.hashing, file, wanted)
    }
}

fn missing(name: &str) -> Refusal {
    refuse(
        "image.section",
        format!(
            "a profile of the image has no section {name}: the machine would take what it is given elsewhere"
        ),
        "assemble a whole UKI",
    )
}

fn wrong_kernel(what: &str) -> Refusal {
    let help = "use the kernel that boot.json of the system names, or name this one in `kernel` of the policy, if you know where it comes from";
    refuse("image.kernel", what, help)
}

fn described(system: &System) -> Result<&Described, Refusal> {
    system.described.as_ref().ok_or_else(|| {
        refuse(
            "image.system",
            format!(
                "{} has no boot.json, which would say with which kernel and initrd it boots",
                system.toplevel
            ),
            "build it with `boot.bootspec`, or name kernel and initrd in the policy by files or digests",
        )
    })
}

fn command_line_of(line: &Line<'_>, system: &System, known: &KnownUki) -> Result<(), Refusal> {
    let allowed = &known.wanted.cmdline.allowed;
    match &system.described {
        Some(described) => {
            let init = format!("{}/init", system.toplevel);
            line.is_of(&init, &described.parameters, allowed)
        }
        None => line.is_allowed(allowed),
    }
}
