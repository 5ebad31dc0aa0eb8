//! Which component of systemd-pcrlock a measurement belongs to (systemd.pcrlock(5), "Well-known components").

use super::{PcrlockFile, Record, RecordDigest, Variant};
use crate::bank::Bank;
use crate::measurement::{EventKind, Measurement};

/// A component that is written here. Its number says where in the boot it stands: the separators that systemd itself describes are
/// 400 (PCR 7) and 500 (PCRs 0 to 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Component {
    /// PCR 7 before the separator: the Secure Boot variables.
    SecureBootPolicy,
    /// PCR 5 behind the separator: the partition table of the disk that is booted.
    PartitionTable,
    /// PCR 7 behind the separator: who vouches for the images.
    SecureBootAuthority,
    /// Everything of one register from the boot loader to the kernel.
    Boot(u32),
}

/// Where a measurement belongs.
pub(super) enum Place {
    /// To a component that is written here.
    Of(Component),
    /// To one that systemd brings along: separators, actions, phases.
    Systemds,
    /// To none.
    None,
}

/// Registers that hold what only the machine itself knows: `systemd-pcrlock lock-firmware-code`, `lock-firmware-config`,
/// `lock-machine-id` and `lock-file-system` describe them; PCR 6 is not among those that it admits.
pub(super) fn is_of_the_machine(pcr: u32) -> bool {
    matches!(pcr, 0..=3 | 6 | 15)
}

/// The components that a register's measurements may belong to.
pub(super) fn of_register(pcr: u32) -> impl Iterator<Item = Component> {
    let components = match pcr {
        5 => vec![Component::PartitionTable, Component::Boot(5)],
        7 => vec![Component::SecureBootPolicy, Component::SecureBootAuthority],
        pcr => vec![Component::Boot(pcr)],
    };
    components.into_iter()
}

/// The place of a measurement, which stands behind its register's separator or not.
pub(super) fn component(measurement: &Measurement, behind_separator: bool) -> Place {
    match (measurement.pcr, measurement.kind) {
        (4..=7, EventKind::Separator)
        | (4, EventKind::BootOption)
        | (5, EventKind::ExitBootServices)
        | (11, EventKind::Phase)
        | (_, EventKind::OsSeparator) => Place::Systemds,
        (5, EventKind::PartitionTable) => Place::Of(Component::PartitionTable),
        // Also what a shim or a firmware of its own mind adds: the separator alone divides them.
        (7, _) if behind_separator => Place::Of(Component::SecureBootAuthority),
        (7, _) => Place::Of(Component::SecureBootPolicy),
        (4 | 5, EventKind::Firmware) => Place::None,
        (pcr @ (4 | 5 | 9 | 11..=14), _) => Place::Of(Component::Boot(pcr)),
        _ => Place::None,
    }
}

impl Component {
    pub(super) fn pcr(self) -> u32 {
        match self {
            Component::SecureBootPolicy | Component::SecureBootAuthority => 7,
            Component::PartitionTable => 5,
            Component::Boot(pcr) => pcr,
        }
    }

    fn name(self) -> String {
        match self {
            Component::SecureBootPolicy => "240-secureboot-policy".to_owned(),
            Component::PartitionTable => "600-gpt".to_owned(),
            Component::SecureBootAuthority => "620-secureboot-authority".to_owned(),
            Component::Boot(pcr) => format!("650-uki-pcr{pcr:02}"),
        }
    }

    /// The files of its variants, of so many generations.
    pub(super) fn files(
        self,
        generations: usize,
        variants: Vec<Variant>,
    ) -> impl Iterator<Item = PcrlockFile> {
        // The name under which systemd-pcrlock itself describes the machine's variables, so that one replaces the other.
        let one = !matches!(self, Component::Boot(_)) && variants.len() == 1;
        variants.into_iter().map(move |variant| PcrlockFile {
            name: file(&self.name(), if one { "generated" } else { &variant.name }),
            generations: match variant.generations.len() == generations {
                true => Vec::new(),
                false => variant.generations,
            },
            records: variant.records,
        })
    }
}

/// The separators, in the place of systemd's second variants, which say that the firmware failed: no prediction admits that, and each
/// doubles the values of its registers.
pub(super) fn separators(banks: &[Bank]) -> [PcrlockFile; 2] {
    let record = |pcr| Record {
        pcr,
        digests: digests(banks, &[0; 4]),
    };
    let instead = |component, records| PcrlockFile {
        name: file(component, "600-0xffffffff"),
        generations: Vec::new(),
        records,
    };
    [
        instead("400-secureboot-separator", vec![record(7)]),
        instead("500-separator", (0..=6).map(record).collect()),
    ]
}

/// The end of the boot services, in the place of systemd's second variant, which says that the firmware does not measure it.
pub(super) fn exit(banks: &[Bank]) -> PcrlockFile {
    let action = |text: &str| Record {
        pcr: 5,
        digests: digests(banks, text.as_bytes()),
    };
    PcrlockFile {
        name: file("700-action-efi-exit-boot-services", "600-absent"),
        generations: Vec::new(),
        records: vec![
            action("Exit Boot Services Invocation"),
            action("Exit Boot Services Returned with Success"),
        ],
    }
}

fn digests(banks: &[Bank], data: &[u8]) -> Vec<RecordDigest> {
    let digest = |bank: &Bank| RecordDigest {
        hash_alg: *bank,
        digest: bank.hash(data),
    };
    banks.iter().map(digest).collect()
}

fn file(component: &str, variant: &str) -> String {
    format!("{component}.pcrlock.d/{variant}.pcrlock")
}
