//! What systemd-boot says of this boot, and what it was told for the next ones.
//!
//! Source: systemd, Boot Loader Interface; the variables are in [`Vendor::Loader`].

use touchstone_esp::EspPath;

use super::{NON_VOLATILE, Variable, VariableError, Variables, Vendor};

/// The entry whose boot is being counted, on the partition that it was started from.
const BOOT_COUNT_PATH: &str = "LoaderBootCountPath";
const ENTRY_SELECTED: &str = "LoaderEntrySelected";
const ENTRY_DEFAULT: &str = "LoaderEntryDefault";
const ENTRY_ONE_SHOT: &str = "LoaderEntryOneShot";
const ENTRY_PREFERRED: &str = "LoaderEntryPreferred";
const ENTRY_LAST_BOOTED: &str = "LoaderEntryLastBooted";
const INFO: &str = "LoaderInfo";

impl Variables {
    /// The entry whose boot is being counted, as it was called when it was started; none when this boot is not counted.
    ///
    /// # Errors
    /// Those of [`Variables::text`]; [`VariableError::Content`] when it is no path, and when it survives a boot: systemd-boot says it
    /// anew each time, and one that stays would name the entry of another boot.
    pub fn boot_count_path(&self) -> Result<Option<EspPath>, VariableError> {
        let Some(variable) = self.read(Vendor::Loader, BOOT_COUNT_PATH)? else {
            return Ok(None);
        };
        if variable.attributes & NON_VOLATILE != 0 {
            return Err(self.content(
                BOOT_COUNT_PATH,
                "is kept between boots, which systemd-boot does not do: it may name the entry of another boot\n  help: remove it".to_owned(),
            ));
        }
        let Some(text) = self.text(Vendor::Loader, BOOT_COUNT_PATH)? else {
            return Ok(None);
        };
        path(&text).map(Some).ok_or_else(|| {
            let fact =
                format!("holds {text:?}, which is no path on a partition\n  help: boot again");
            self.content(BOOT_COUNT_PATH, fact)
        })
    }

    /// The id of the entry that was started.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn entry_selected(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, ENTRY_SELECTED)
    }

    /// The id, or pattern, of the entry that systemd-boot starts whatever `loader.conf` says.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn entry_default(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, ENTRY_DEFAULT)
    }

    /// The id of the entry that systemd-boot starts the next time only.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn entry_one_shot(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, ENTRY_ONE_SHOT)
    }

    /// The id, or pattern, of the entry that systemd-boot starts unless it is bad; known from 260 on.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn entry_preferred(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, ENTRY_PREFERRED)
    }

    /// The id of the entry that was started last, which `@saved` stands for.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn entry_last_booted(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, ENTRY_LAST_BOOTED)
    }

    /// Removes the default that the machine remembers. The answer is what it was.
    ///
    /// # Errors
    /// Those of [`Variables::text`], [`VariableError::Write`].
    pub fn clear_entry_default(&self) -> Result<Option<String>, VariableError> {
        self.clear(ENTRY_DEFAULT)
    }

    /// Removes the preferred entry that the machine remembers. The answer is what it was.
    ///
    /// # Errors
    /// Those of [`Variables::clear_entry_default`].
    pub fn clear_entry_preferred(&self) -> Result<Option<String>, VariableError> {
        self.clear(ENTRY_PREFERRED)
    }

    fn clear(&self, name: &str) -> Result<Option<String>, VariableError> {
        // One that is no text is removed as well: that is what was asked for.
        let before = match self.text(Vendor::Loader, name) {
            Err(VariableError::Text { .. }) => Some("(no text)".to_owned()),
            read => read?,
        };
        self.remove(Vendor::Loader, name)?;
        Ok(before)
    }

    /// Name and version of the boot loader that ran, as `systemd-boot 257.9-1`.
    ///
    /// # Errors
    /// Those of [`Variables::text`].
    pub fn loader_info(&self) -> Result<Option<String>, VariableError> {
        self.text(Vendor::Loader, INFO)
    }

    /// A variable of the boot loader that holds something else than it should.
    fn content(&self, name: &str, fact: String) -> VariableError {
        VariableError::Content {
            file: self.path(Vendor::Loader, name),
            fact,
        }
    }
}

/// What the firmware writes with backslashes from the root.
fn path(text: &str) -> Option<EspPath> {
    let tilted = text.replace('\\', "/");
    EspPath::parse(tilted.strip_prefix('/')?).ok()
}

/// How systemd-boot writes a path into its variables: what a test, or another machine, would have there.
pub fn counted(path: &EspPath) -> Variable {
    let text = format!("\\{}", path.as_str().replace('/', "\\"));
    Variable {
        attributes: super::BOOT_SERVICES | super::RUNTIME,
        value: super::text::bytes(&text),
    }
}
