//! The ways to a TPM, in the words of tpm2-tss: `NAME:CONFIGURATION`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How a TPM is reached. The forms are those of tpm2-tools' `--tcti`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tcti {
    /// A device of the kernel: `device:/dev/tpmrm0`.
    Device(String),
    /// A software TPM: `swtpm:host=localhost,port=2321`; its control channel is at the next port.
    Swtpm(Network),
    /// A simulator that speaks Microsoft's protocol: `mssim:host=localhost,port=2321`.
    Mssim(Network),
}

/// Where a software TPM listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    host: String,
    port: u16,
}

/// Why a text names no way to a TPM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TctiError {
    /// Another way than those of [`Tcti`].
    #[error("`{0}` is no way to a TPM: use device:, swtpm: or mssim:")]
    Unknown(String),
    /// The path of a device that is empty or has a character that no path of a device has.
    #[error("`device:` needs the path of a device, such as /dev/tpmrm0")]
    Device,
    /// A word in the configuration of a software TPM that is neither `host` nor `port`, or one that stands twice.
    #[error("`{0}` is none of host=… and port=…, or stands twice")]
    Word(String),
    /// No name or address of a machine.
    #[error("`{0}` is no host")]
    Host(String),
    /// No number of a port that has a next one.
    #[error("`{0}` is no port: use 1 to 65534")]
    Port(String),
}

impl Default for Tcti {
    /// The kernel's device with its resource manager, so that several programs can use the TPM.
    fn default() -> Tcti {
        Tcti::Device("/dev/tpmrm0".to_owned())
    }
}

impl FromStr for Tcti {
    type Err = TctiError;

    fn from_str(text: &str) -> Result<Tcti, TctiError> {
        let (name, configuration) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "device" if configuration.is_empty() || configuration.contains(char::is_control) => {
                Err(TctiError::Device)
            }
            "device" => Ok(Tcti::Device(configuration.to_owned())),
            "swtpm" => Ok(Tcti::Swtpm(configuration.parse()?)),
            "mssim" => Ok(Tcti::Mssim(configuration.parse()?)),
            _ => Err(TctiError::Unknown(name.to_owned())),
        }
    }
}

impl FromStr for Network {
    type Err = TctiError;

    fn from_str(text: &str) -> Result<Network, TctiError> {
        let (mut host, mut port) = (None, None);
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some(("host", value)) if host.is_none() => host = Some(checked_host(value)?),
                Some(("port", value)) if port.is_none() => port = Some(checked_port(value)?),
                _ => return Err(TctiError::Word(word.to_owned())),
            }
        }
        // tpm2-tss' own values.
        Ok(Network {
            host: host.unwrap_or_else(|| "localhost".to_owned()),
            port: port.unwrap_or(2321),
        })
    }
}

fn checked_host(value: &str) -> Result<String, TctiError> {
    let is_name = !value.is_empty()
        && value.len() <= 253
        && value.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    if is_name || value.parse::<IpAddr>().is_ok() {
        Ok(value.to_owned())
    } else {
        Err(TctiError::Host(value.to_owned()))
    }
}

fn checked_port(value: &str) -> Result<u16, TctiError> {
    value
        .parse()
        .ok()
        .filter(|port| (1..u16::MAX).contains(port))
        .ok_or_else(|| TctiError::Port(value.to_owned()))
}

impl fmt::Display for Tcti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tcti::Device(path) => write!(f, "device:{path}"),
            Tcti::Swtpm(network) => write!(f, "swtpm:{network}"),
            Tcti::Mssim(network) => write!(f, "mssim:{network}"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host={},port={}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tpm2_tools_take() {
        for (text, full) in [
            ("device:/dev/tpm0", "device:/dev/tpm0"),
            ("swtpm", "swtpm:host=localhost,port=2321"),
            ("swtpm:port=1", "swtpm:host=localhost,port=1"),
            ("mssim:port=7,host=::1", "mssim:host=::1,port=7"),
            ("mssim:host=a-b.example", "mssim:host=a-b.example,port=2321"),
        ] {
            assert_eq!(text.parse::<Tcti>().unwrap().to_string(), full);
        }
        assert_eq!(Tcti::default().to_string(), "device:/dev/tpmrm0");
    }

    #[test]
    fn refuses_every_other_way() {
        for text in [
            "",
            "device",
            "device:",
            "device:/dev/tpm0\n",
            "tabrmd",
            "cmd:sh",
            "swtpm:path=/run/socket",
            "swtpm:port=1,port=2",
            "swtpm:port=0",
            "swtpm:port=65535",
            "swtpm:port=x",
            "mssim:host=",
            "mssim:host=a b",
            "mssim:host=-a",
        ] {
            assert!(text.parse::<Tcti>().is_err(), "{text:?}");
        }
    }
}
