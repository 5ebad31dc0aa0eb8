//! Boot entries of Type #1: texts that name a kernel and what goes with it.
//!
//! Source: UAPI.1 Boot Loader Specification, "Type #1 Boot Loader Specification Entries".

use std::fmt;

use crate::lines::{BLANKS, settings};
use crate::{EspPath, PathError};

/// An entry: keys and values in the file's order. Keys that the specification does not know are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Type1 {
    fields: Vec<(Key, String)>,
}

/// A value that an entry cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Type1Error {
    /// A line break would begin another key, and a NUL would end the text.
    #[error("the boot entry's {key} holds a line break or a NUL: {value:?}")]
    Break {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Blanks and pairs of quotes around a value are taken away when it is read; a key without a value is no setting.
    #[error(
        "the boot entry's {key} is empty, or has blanks or quotes around it, which a boot loader drops: {value:?}"
    )]
    Around {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A key that would be read as a comment, or as another key and a value.
    #[error("{0:?} is no key of a boot entry")]
    Key(String),
}

macro_rules! keys {
    ($($variant:ident $text:literal $doc:literal),* $(,)?) => {
        /// A key of an entry.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Key {
            $(#[doc = $doc] $variant,)*
            /// A key that the specification does not know.
            Unknown(String),
        }

        impl Key {
            /// The key with this name.
            pub fn named(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown(name.to_owned()),
                }
            }

            /// As it is written.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(name) => name,
                }
            }
        }
    };
}

keys! {
    Title "title" "What the menu shows.",
    Version "version" "Sorts entries of one sort key and machine, the newest first.",
    MachineId "machine-id" "Groups the entries of one installation.",
    SortKey "sort-key" "Sorts entries, before anything else but their being bad.",
    Linux "linux" "A kernel.",
    Initrd "initrd" "An initrd; there may be several.",
    Efi "efi" "An EFI program.",
    Uki "uki" "A unified kernel image.",
    UkiUrl "uki-url" "A unified kernel image that the loader fetches.",
    Profile "profile" "Which profile of the unified kernel image is started.",
    Options "options" "Kernel parameters; there may be several, all count.",
    Devicetree "devicetree" "A device tree.",
    DevicetreeOverlay "devicetree-overlay" "Overlays of the device tree, parted by blanks.",
    Architecture "architecture" "For which architecture the entry is, in EFI's words.",
    Extra "extra" "Addons and credentials beside a unified kernel image; there may be several.",
}

/// Keys whose values name files.
const FILES: [Key; 7] = [
    Key::Linux,
    Key::Initrd,
    Key::Efi,
    Key::Uki,
    Key::Devicetree,
    Key::DevicetreeOverlay,
    Key::Extra,
];

impl Type1 {
    /// Reads an entry. Nothing is refused: a boot loader skips what it does not understand.
    pub fn read(text: &str) -> Self {
        let fields = settings(text, BLANKS)
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (Key::named(key), value.to_owned()));
        Self {
            fields: fields.collect(),
        }
    }

    /// Keys and values, in the file's order.
    pub fn fields(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.fields.iter().map(|(key, value)| (key, value.as_str()))
    }

    /// The value that counts of a key that is given once: the last one.
    pub fn value(&self, key: &Key) -> Option<&str> {
        self.values(key).last()
    }

    /// All values of a key.
    pub fn values(&self, key: &Key) -> impl Iterator<Item = &str> {
        self.fields()
            .filter_map(move |(found, value)| (found == key).then_some(value))
    }

    /// Adds a key, after the others.
    ///
    /// # Errors
    /// [`Type1Error`]: what would not be read as it was written.
    pub fn push(&mut self, key: Key, value: impl Into<String>) -> Result<(), Type1Error> {
        let value = value.into();
        check(&key, &value)?;
        self.fields.push((Key::named(key.name()), value));
        Ok(())
    }

    /// The files that the entry names, each below the root of its file system.
    ///
    /// # Errors
    /// [`PathError`]: a value that is no path on FAT.
    pub fn files(&self) -> Result<Vec<EspPath>, PathError> {
        self.fields()
            .filter(|(key, _)| FILES.contains(key))
            .flat_map(|(key, value)| match key {
                Key::DevicetreeOverlay => value.split(BLANKS).collect(),
                _ => vec![value],
            })
            .filter(|path| !path.is_empty())
            .map(file)
            .collect()
    }
}

/// A path as entries write it: with a `/` before it, with `\` for `/`.
fn file(path: &str) -> Result<EspPath, PathError> {
    let path = path.replace('\\', "/");
    EspPath::parse(path.trim_start_matches('/'))
}

fn check(key: &Key, value: &str) -> Result<(), Type1Error> {
    let line = format!("{} {value}", key.name());
    if value.contains(['\n', '\r', '\0']) {
        return Err(Type1Error::Break {
            key: key.name().to_owned(),
            value: value.to_owned(),
        });
    }
    let mut read = settings(&line, BLANKS);
    match read.next() {
        Some((name, _)) if name != key.name() || name.contains(['\n', '\r', '\0']) => {
            Err(Type1Error::Key(key.name().to_owned()))
        }
        Some((_, found)) if found == value && !value.is_empty() => Ok(()),
        None if key.name().starts_with('#') => Err(Type1Error::Key(key.name().to_owned())),
        _ => Err(Type1Error::Around {
            key: key.name().to_owned(),
            value: value.to_owned(),
        }),
    }
}

impl fmt::Display for Type1 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.fields() {
            writeln!(formatter, "{} {value}", key.name())?;
        }
        Ok(())
    }
}
