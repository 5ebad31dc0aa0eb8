//! The firmware's own menu: one line for each copy of the boot loader, first in the order.
//!
//! Source: UEFI specification 2.10, section 3.1; the title and the place in the order are those of `bootctl install`.

use std::collections::BTreeSet;
use std::fmt;

use touchstone_esp::EspPath;

use super::{HardDrive, KEPT, LoadOption, Variable, VariableError, Variables, Vendor};

/// What the firmware's menu shows.
pub const TITLE: &str = "Linux Boot Manager";
const ORDER: &str = "BootOrder";

/// A boot loader that the firmware is to start.
#[derive(Clone, Debug)]
pub struct Target {
    /// The partition.
    pub drive: HardDrive,
    /// The boot loader's file on it.
    pub file: EspPath,
}

/// What is to be written, in this order; nothing when all is as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootEntries {
    options: Vec<(u16, LoadOption)>,
    order: Option<Vec<u16>>,
}

impl BootEntries {
    /// What misses so that the firmware starts these boot loaders, the first one first and before everything else. What other entries there
    /// are stays, and keeps its order.
    ///
    /// # Errors
    /// [`VariableError`].
    pub fn plan(variables: &Variables, targets: &[Target]) -> Result<Self, VariableError> {
        let mut menu = Menu::read(variables)?;
        let mut plan = Self::default();
        let mut first = Vec::new();
        for target in targets {
            let number = menu.place(target, &mut plan.options)?;
            first.push(number);
        }
        let others = menu.order.iter().filter(|number| !first.contains(number));
        let wanted: Vec<u16> = first.iter().chain(others).copied().collect();
        plan.order = (wanted != menu.order).then_some(wanted);
        Ok(plan)
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty() && self.order.is_none()
    }

    /// Writes it. The order comes last: an entry that it does not name harms nobody.
    ///
    /// # Errors
    /// [`VariableError`]; done again, it completes what it had begun.
    pub fn write(&self, variables: &Variables) -> Result<(), VariableError> {
        for (number, option) in &self.options {
            put(variables, &name(*number), option.to_bytes())?;
        }
        if let Some(order) = &self.order {
            let value = order.iter().flat_map(|number| number.to_le_bytes());
            put(variables, ORDER, value.collect())?;
        }
        Ok(())
    }
}

impl fmt::Display for BootEntries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options.iter();
        let mut lines: Vec<String> = options
            .map(|(number, option)| format!("{}: {}", name(*number), option.title))
            .collect();
        if let Some(order) = &self.order {
            let order: Vec<String> = order.iter().map(|n| format!("{n:04X}")).collect();
            lines.push(format!("{ORDER}: {}", order.join(", ")));
        }
        formatter.write_str(&lines.join("; "))
    }
}

fn name(number: u16) -> String {
    format!("Boot{number:04X}")
}

fn put(variables: &Variables, name: &str, value: Vec<u8>) -> Result<(), VariableError> {
    let variable = Variable {
        attributes: KEPT,
        value,
    };
    variables.write(Vendor::Global, name, &variable).map(drop)
}

/// What the firmware has.
struct Menu {
    /// Every number that is taken, also by what cannot be read.
    taken: BTreeSet<u16>,
    options: Vec<(u16, LoadOption)>,
    order: Vec<u16>,
}

impl Menu {
    fn read(variables: &Variables) -> Result<Self, VariableError> {
        let order = order(variables)?;
        let taken = numbers(variables)?;
        // An entry that comes first in the order is found first.
        let known = order.iter().filter(|number| taken.contains(number));
        let rest = taken.iter().filter(|number| !order.contains(number));
        let mut options = Vec::new();
        for number in known.chain(rest) {
            let variable = variables.read(Vendor::Global, &name(*number))?;
            let option = variable.and_then(|variable| LoadOption::read(&variable.value));
            options.extend(option.map(|option| (*number, option)));
        }
        Ok(Self {
            taken,
            options,
            order,
        })
    }

    /// The number of the entry that starts the target; `writes` gets what has to be written for that.
    fn place(
        &mut self,
        target: &Target,
        writes: &mut Vec<(u16, LoadOption)>,
    ) -> Result<u16, VariableError> {
        let starts = |(_, option): &&(u16, LoadOption)| option.starts(&target.drive, &target.file);
        if let Some((number, option)) = self.options.iter().find(starts)
            && option.is_active()
        {
            return Ok(*number);
        }
        let there = self.options.iter().find(starts);
        let number = match there {
            Some((number, _)) => *number,
            None => self.free()?,
        };
        let option = LoadOption::of_file(TITLE, &target.drive, &target.file);
        writes.push((number, option));
        self.taken.insert(number);
        Ok(number)
    }

    fn free(&self) -> Result<u16, VariableError> {
        (0..=u16::MAX)
            .find(|number| !self.taken.contains(number))
            .ok_or(VariableError::NoFreeNumber)
    }
}

fn order(variables: &Variables) -> Result<Vec<u16>, VariableError> {
    let Some(variable) = variables.read(Vendor::Global, ORDER)? else {
        return Ok(Vec::new());
    };
    match variable.value.as_chunks::<2>() {
        (numbers, []) => Ok(numbers.iter().map(|n| u16::from_le_bytes(*n)).collect()),
        _ => Err(VariableError::Content {
            file: variables.path(Vendor::Global, ORDER),
            fact: "has an odd number of bytes\n  help: set the order in the firmware's setup"
                .to_owned(),
        }),
    }
}

/// The numbers of the entries that the firmware has.
fn numbers(variables: &Variables) -> Result<BTreeSet<u16>, VariableError> {
    let failed = |source| VariableError::Read {
        file: variables.folder().to_owned(),
        source,
    };
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir(variables.folder()).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name();
        numbers.extend(file.to_str().and_then(number));
    }
    Ok(numbers)
}

fn number(file: &str) -> Option<u16> {
    let (name, guid) = file.split_once('-')?;
    let digits = name
        .strip_prefix("Boot")
        .filter(|digits| digits.len() == 4)?;
    let upper = digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let ours = guid == Vendor::Global.guid() && upper;
    u16::from_str_radix(digits, 16).ok().filter(|_| ours)
}
