//! Which machines the matrix boots.

use std::fmt;

/// A systemd whose stub and boot loader are booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Systemd {
    /// 252, of Debian 12.
    V252,
    /// 257, of Debian 13.
    V257,
    /// 262, of Debian's unstable suite.
    V262,
}

impl Systemd {
    const ALL: [Systemd; 3] = [Systemd::V252, Systemd::V257, Systemd::V262];

    /// The suite that has it.
    pub fn suite(self) -> &'static str {
        match self {
            Systemd::V252 => "bookworm",
            Systemd::V257 => "trixie",
            Systemd::V262 => "sid",
        }
    }

    /// Its major version.
    pub fn number(self) -> u32 {
        match self {
            Systemd::V252 => 252,
            Systemd::V257 => 257,
            Systemd::V262 => 262,
        }
    }
}

/// What is special about a machine's way to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Firmware, systemd-boot, a UKI.
    Plain,
    /// A UKI with microcode, a splash, a public key for PCR signatures, and such signatures.
    Sections,
    /// Addons for every UKI, and for this one.
    Addons,
    /// Credentials for every UKI, and for this one.
    Credentials,
    /// System and configuration extensions for every UKI, and for this one.
    Extensions,
    /// A UKI with two profiles; the first boots.
    FirstProfile,
    /// A UKI with two profiles; the second boots.
    SecondProfile,
    /// A kernel and two initrds in a Type #1 entry.
    Kernel,
    /// Firmware starts the UKI without a boot loader.
    Direct,
    /// shim in front of systemd-boot.
    Shim,
    /// From a CD.
    Cd,
    /// Addons, credentials, extensions and all sections together.
    Everything,
}

impl Variant {
    const ALL: [Variant; 12] = [
        Variant::Plain,
        Variant::Sections,
        Variant::Addons,
        Variant::Credentials,
        Variant::Extensions,
        Variant::FirstProfile,
        Variant::SecondProfile,
        Variant::Kernel,
        Variant::Direct,
        Variant::Shim,
        Variant::Cd,
        Variant::Everything,
    ];

    /// How the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Plain => "plain UKI",
            Variant::Sections => "microcode, splash, pcrpkey, pcrsig",
            Variant::Addons => "addons, global and own",
            Variant::Credentials => "credentials, global and own",
            Variant::Extensions => "extensions, global and own",
            Variant::FirstProfile => "two profiles, the first",
            Variant::SecondProfile => "two profiles, the second",
            Variant::Kernel => "Type #1 entry",
            Variant::Direct => "UKI without boot loader",
            Variant::Shim => "shim",
            Variant::Cd => "CD",
            Variant::Everything => "everything together",
        }
    }

    /// Whether the UKI has the further sections.
    pub fn has_sections(self) -> bool {
        matches!(self, Variant::Sections | Variant::Everything)
    }

    /// Whether it comes with addons.
    pub fn has_addons(self) -> bool {
        matches!(self, Variant::Addons | Variant::Everything)
    }

    /// Whether it comes with credentials.
    pub fn has_credentials(self) -> bool {
        matches!(self, Variant::Credentials | Variant::Everything)
    }

    /// Whether it comes with extensions.
    pub fn has_extensions(self) -> bool {
        matches!(self, Variant::Extensions | Variant::Everything)
    }

    /// Which of two profiles boots.
    pub fn profile(self) -> Option<usize> {
        match self {
            Variant::FirstProfile => Some(0),
            Variant::SecondProfile => Some(1),
            _ => None,
        }
    }
}

/// One machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its systemd.
    pub systemd: Systemd,
    /// Whether its firmware enforces signatures.
    pub secure_boot: bool,
    /// Its way to boot.
    pub variant: Variant,
}

impl Case {
    /// Every machine of the matrix.
    pub fn all() -> Vec<Case> {
        let mut cases = Vec::new();
        for systemd in Systemd::ALL {
            for secure_boot in [true, false] {
                // systemd 252 knows no profiles, and its stub has no room for their sections.
                let variants = Variant::ALL
                    .into_iter()
                    .filter(|variant| systemd != Systemd::V252 || variant.profile().is_none());
                cases.extend(variants.map(|variant| Case {
                    systemd,
                    secure_boot,
                    variant,
                }));
            }
        }
        cases
    }

    /// The handful of every test run: as much as possible in few boots.
    pub fn few() -> Vec<Case> {
        let case = |systemd, secure_boot, variant| Case {
            systemd,
            secure_boot,
            variant,
        };
        vec![
            case(Systemd::V257, true, Variant::Everything),
            case(Systemd::V262, true, Variant::SecondProfile),
            case(Systemd::V262, false, Variant::Kernel),
            case(Systemd::V257, true, Variant::Shim),
            case(Systemd::V252, false, Variant::Credentials),
        ]
    }

    /// The registers that are predicted.
    pub fn pcrs(self) -> Vec<u32> {
        let mut pcrs = vec![4, 5, 7, 9, 11, 12, 13];
        if self.variant == Variant::Shim {
            pcrs.push(14);
        }
        pcrs
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = if self.secure_boot { "on" } else { "off" };
        let (number, name) = (self.systemd.number(), self.variant.name());
        write!(f, "systemd {number}, Secure Boot {setting}, {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_are_among_all() {
        let all = Case::all();
        assert!(Case::few().iter().all(|few| all.contains(few)));
        assert_eq!(all.len(), 68);
    }
}
