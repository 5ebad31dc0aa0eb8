//! Files on the ESP that a UKI is given beside what it holds: addons, credentials, extensions.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::StartedImage;

/// A file's content, which may be read again and again: the same file is hashed for more than one register.
pub trait Content: fmt::Debug + Send + Sync {
    /// The content from its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// When it cannot be told.
    fn length(&self) -> io::Result<u64>;
}

impl Content for Vec<u8> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_slice()))
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// One file beside a UKI.
#[derive(Clone, Debug)]
pub struct Companion {
    /// Its name on the ESP, without folders: it decides what the file is, and the order.
    pub name: String,
    /// Its content.
    pub content: Arc<dyn Content>,
}

/// A PE addon: it brings more of a command line, of an initrd, of a device tree.
#[derive(Clone, Debug)]
pub struct Addon {
    /// Its name on the ESP, without folders.
    pub name: String,
    /// Its PE image: the stub lets the firmware load it.
    pub image: StartedImage,
    /// Its content.
    pub content: Arc<dyn Content>,
}

/// The files in one of the places where a stub looks for them: `<UKI>.extra.d`, or below `loader/` on the ESP.
#[derive(Clone, Debug, Default)]
pub struct Companions {
    /// PE addons, `*.addon.efi`.
    pub addons: Vec<Addon>,
    /// Credentials, `*.cred`.
    pub credentials: Vec<Companion>,
    /// System extensions, `*.raw` but for those of configurations.
    pub system_extensions: Vec<Companion>,
    /// Configuration extensions, `*.confext.raw`.
    pub configuration_extensions: Vec<Companion>,
}

impl Companions {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        let Companions {
            addons,
            credentials,
            system_extensions,
            configuration_extensions,
        } = self;
        addons.is_empty()
            && [credentials, system_extensions, configuration_extensions]
                .into_iter()
                .all(Vec::is_empty)
    }
}
