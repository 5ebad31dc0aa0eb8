//! What a virtual machine's host adds to the kernel's command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::Smbios;

/// The SMBIOS OEM strings (type 11) by which a virtual machine's host adds to the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostOptions {
    /// The value of `io.systemd.stub.kernel-cmdline-extra`: for UKIs.
    pub stub: Option<String>,
    /// The value of `io.systemd.boot.kernel-cmdline-extra`: for Type #1 entries.
    pub boot: Option<String>,
}

impl From<HostOptions> for Smbios {
    fn from(options: HostOptions) -> Smbios {
        Smbios {
            stub: options.stub,
            boot: options.boot,
        }
    }
}
