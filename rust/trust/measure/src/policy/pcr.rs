//! Which registers of which banks a policy is about, and the values that it wants there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::PolicyError;
use super::digest::hash_of;
use crate::bank::{Bank, Digest};

/// A TPM of the PC client profile has PCRs 0 to 23.
const COUNT: u32 = 24;
/// Bytes of the bit map that has a bit for each of them.
const MAP_LEN: usize = 3;

/// Registers of one or more banks: `TPML_PCR_SELECTION` (part 2, section 10.9.7).
///
/// Written and parsed as tpm2-tools do: `sha256:7,11+sha1:0`. The order of the banks counts, that of registers does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcrSelection(Vec<(Bank, BTreeSet<u32>)>);

impl PcrSelection {
    /// These registers of these banks.
    ///
    /// # Errors
    /// [`PolicyError::NoPcr`] when a bank has no register or there is no bank, [`PolicyError::NoSuchPcr`] for a number
    /// over 23, [`PolicyError::BankTwice`].
    pub fn new(
        banks: impl IntoIterator<Item = (Bank, BTreeSet<u32>)>,
    ) -> Result<PcrSelection, PolicyError> {
        let banks: Vec<(Bank, BTreeSet<u32>)> = banks.into_iter().collect();
        if banks.is_empty() || banks.iter().any(|(_, pcrs)| pcrs.is_empty()) {
            return Err(PolicyError::NoPcr);
        }
        let mut seen = BTreeSet::new();
        for (bank, pcrs) in &banks {
            if !seen.insert(*bank) {
                return Err(PolicyError::BankTwice(*bank));
            }
            if let Some(pcr) = pcrs.iter().find(|pcr| **pcr >= COUNT) {
                return Err(PolicyError::NoSuchPcr(*pcr));
            }
        }
        Ok(PcrSelection(banks))
    }

    /// The registers, bank by bank, in the order in which a TPM hashes their values.
    pub fn iter(&self) -> impl Iterator<Item = (Bank, u32)> + '_ {
        let of_bank = |(bank, pcrs): &'_ (Bank, BTreeSet<u32>)| {
            let bank = *bank;
            pcrs.clone().into_iter().map(move |pcr| (bank, pcr))
        };
        self.0.iter().flat_map(of_bank)
    }

    /// As it goes over the bus: the number of banks (32 bits), for each its `TPM_ALG_ID` (16 bits), the length of its
    /// bit map (8 bits) and the map, register 0 being the lowest bit of the first byte. Numbers are big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        // At most one entry for each of the four banks.
        let mut bytes = u32::try_from(self.0.len())
            .unwrap_or_default()
            .to_be_bytes()
            .to_vec();
        for (bank, pcrs) in &self.0 {
            bytes.extend(bank.algorithm().to_be_bytes());
            bytes.push(MAP_LEN as u8);
            let map = pcrs.iter().fold(0_u32, |map, pcr| map | 1 << pcr);
            bytes.extend(map.to_le_bytes().into_iter().take(MAP_LEN));
        }
        bytes
    }
}

impl fmt::Display for PcrSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (bank, pcrs)) in self.0.iter().enumerate() {
            let plus = if index == 0 { "" } else { "+" };
            let pcrs: Vec<String> = pcrs.iter().map(u32::to_string).collect();
            write!(f, "{plus}{bank}:{}", pcrs.join(","))?;
        }
        Ok(())
    }
}

impl FromStr for PcrSelection {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<PcrSelection, PolicyError> {
        let malformed = || PolicyError::Selection(text.to_owned());
        let of_bank = |part: &str| {
            let (bank, pcrs) = part.split_once(':').ok_or_else(malformed)?;
            let pcrs: Result<_, _> = pcrs.split(',').map(str::parse).collect();
            let bank = bank.parse().map_err(|_| malformed())?;
            Ok((bank, pcrs.map_err(|_| malformed())?))
        };
        let banks: Result<Vec<_>, PolicyError> = text.split('+').map(of_bank).collect();
        PcrSelection::new(banks?)
    }
}

/// The values that a policy wants in selected registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcrValues {
    selection: PcrSelection,
    /// In the selection's order.
    values: Vec<Digest>,
}

impl PcrValues {
    /// The values of `selection`, each found by its bank and register.
    ///
    /// # Errors
    /// [`PolicyError::NoValue`] when one is missing, [`PolicyError::OtherBank`] when one is not of its bank.
    pub fn new(
        selection: PcrSelection,
        find: impl Fn(Bank, u32) -> Option<Digest>,
    ) -> Result<PcrValues, PolicyError> {
        let of = |(bank, pcr)| {
            let value = find(bank, pcr).ok_or(PolicyError::NoValue { bank, pcr })?;
            match value.bank() == bank {
                true => Ok(value),
                false => Err(PolicyError::OtherBank { bank, pcr }),
            }
        };
        let values = selection.iter().map(of).collect::<Result<_, _>>()?;
        Ok(PcrValues { selection, values })
    }

    /// Registers of one bank.
    ///
    /// # Errors
    /// As [`PcrSelection::new`] and [`PcrValues::new`].
    pub fn of_bank(bank: Bank, values: &BTreeMap<u32, Digest>) -> Result<PcrValues, PolicyError> {
        let selection = PcrSelection::new([(bank, values.keys().copied().collect())])?;
        PcrValues::new(selection, |_, pcr| values.get(&pcr).copied())
    }

    /// Which registers they are of.
    pub fn selection(&self) -> &PcrSelection {
        &self.selection
    }

    /// `pcrDigest` of `TPM2_PolicyPCR` (part 3, section 23.7) in a session of this hash: the digest of all values, one
    /// behind the other.
    pub fn digest(&self, hash: Bank) -> Digest {
        hash_of(hash, self.values.iter().map(Digest::as_bytes))
    }
}
