//! The core objects of both versions.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use touchstone_store::json::Object;
use touchstone_store::{StoreFile, StorePath};

use crate::ReadError;

/// What both versions of the core object have in common. Sealed: there are two.
pub trait Core: Sized + Serialize + sealed::Sealed {
    /// The key of the core object.
    const KEY: &'static str;
    /// The key of the specialisations.
    const SPECIALISATIONS: &'static str;

    /// Reads a core object. `at` is its place in the document.
    fn read(at: &str, value: Value) -> Result<Self, ReadError>;
    /// The stage 2 init.
    fn init(&self) -> &StoreFile;
    /// The kernel parameters, without `init=`.
    fn kernel_params(&self) -> &[String];

    /// The kernel's command line: `init=…` first, then the parameters.
    fn command_line(&self) -> String {
        let parameters = self
            .kernel_params()
            .iter()
            .map(|parameter| format!(" {parameter}"));
        format!("init={}{}", self.init(), parameters.collect::<String>())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::V1 {}
    impl Sealed for super::V2 {}
}

/// `org.nixos.bootspec.v1`. Optional keys are missing or present, never null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct V1 {
    /// The system that the generation is for, such as `x86_64-linux`.
    pub system: String,
    /// The stage 2 init.
    pub init: StoreFile,
    /// The initrd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<StoreFile>,
    /// The program that appends secrets to the initrd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd_secrets: Option<StoreFile>,
    /// The kernel image.
    pub kernel: StoreFile,
    /// The kernel parameters, without `init=`.
    pub kernel_params: Vec<String>,
    /// What a person reads in the menu.
    pub label: String,
    /// The generation itself.
    pub toplevel: StorePath,
}

/// `org.nixos.bootspec.v2`. Optional keys are missing or present, never null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct V2 {
    /// The system that the generation is for, such as `x86_64-linux`.
    pub system: String,
    /// The stage 2 init.
    pub init: StoreFile,
    /// The initrds, in the order in which they are loaded; may be empty.
    pub initrds: Vec<StoreFile>,
    /// The kernel image.
    pub kernel: StoreFile,
    /// The kernel parameters, without `init=`.
    pub kernel_params: Vec<String>,
    /// What a person reads in the menu.
    pub label: String,
    /// The generation itself.
    pub toplevel: StorePath,
    /// A directory of device trees (U-Boot's FDTDIR).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdtdir: Option<StoreFile>,
    /// One device tree, overlays applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devicetree: Option<StoreFile>,
}

impl Core for V1 {
    const KEY: &'static str = "org.nixos.bootspec.v1";
    const SPECIALISATIONS: &'static str = "org.nixos.specialisation.v1";

    fn read(at: &str, value: Value) -> Result<Self, ReadError> {
        let mut reader = Reader(Object::new(at, value)?);
        let core = Self {
            system: reader.text("system")?,
            init: reader.init()?,
            initrd: reader.optional_file("initrd")?,
            initrd_secrets: reader.optional_file("initrdSecrets")?,
            kernel: reader.file("kernel")?,
            kernel_params: reader.kernel_params()?,
            label: reader.text("label")?,
            toplevel: reader.toplevel()?,
        };
        reader.0.close()?;
        Ok(core)
    }

    fn init(&self) -> &StoreFile {
        &self.init
    }

    fn kernel_params(&self) -> &[String] {
        &self.kernel_params
    }
}

impl Core for V2 {
    const KEY: &'static str = "org.nixos.bootspec.v2";
    const SPECIALISATIONS: &'static str = "org.nixos.specialisation.v2";

    fn read(at: &str, value: Value) -> Result<Self, ReadError> {
        let mut reader = Reader(Object::new(at, value)?);
        let core = Self {
            system: reader.text("system")?,
            init: reader.init()?,
            initrds: reader.files("initrds")?,
            kernel: reader.file("kernel")?,
            kernel_params: reader.kernel_params()?,
            label: reader.text("label")?,
            toplevel: reader.toplevel()?,
            fdtdir: reader.optional_file("fdtdir")?,
            devicetree: reader.optional_file("devicetree")?,
        };
        reader.0.close()?;
        Ok(core)
    }

    fn init(&self) -> &StoreFile {
        &self.init
    }

    fn kernel_params(&self) -> &[String] {
        &self.kernel_params
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(Self::KEY, value).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for V2 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::read(Self::KEY, value).map_err(serde::de::Error::custom)
    }
}

/// Takes the members of a core object that both versions have.
struct Reader(Object);

impl Reader {
    fn text(&mut self, key: &'static str) -> Result<String, ReadError> {
        let text = self.0.string(key)?;
        self.without_control_characters(key, &text)?;
        Ok(text)
    }

    fn kernel_params(&mut self) -> Result<Vec<String>, ReadError> {
        let key = "kernelParams";
        let parameters = self.0.strings(key)?;
        for parameter in &parameters {
            self.without_control_characters(key, parameter)?;
            if names_init(parameter) {
                return Err(ReadError::InitInKernelParams {
                    at: self.0.at().to_owned(),
                });
            }
        }
        Ok(parameters)
    }

    /// A path that is a parameter of the kernel as well.
    fn init(&mut self) -> Result<StoreFile, ReadError> {
        let init = self.file("init")?;
        if init
            .as_str()
            .contains(|c: char| c.is_whitespace() || c == '"')
        {
            return Err(ReadError::InitPath {
                at: self.0.at().to_owned(),
            });
        }
        Ok(init)
    }

    fn file(&mut self, key: &'static str) -> Result<StoreFile, ReadError> {
        let text = self.0.string(key)?;
        self.parse_file(key, &text)
    }

    fn optional_file(&mut self, key: &'static str) -> Result<Option<StoreFile>, ReadError> {
        self.0
            .optional_string(key)?
            .map(|text| self.parse_file(key, &text))
            .transpose()
    }

    fn files(&mut self, key: &'static str) -> Result<Vec<StoreFile>, ReadError> {
        let texts = self.0.strings(key)?;
        texts
            .iter()
            .map(|text| self.parse_file(key, text))
            .collect()
    }

    fn toplevel(&mut self) -> Result<StorePath, ReadError> {
        let key = "toplevel";
        let text = self.0.string(key)?;
        let at = || self.0.at().to_owned();
        StorePath::parse(&text).map_err(|why| ReadError::StorePath { at: at(), key, why })
    }

    fn parse_file(&self, key: &'static str, text: &str) -> Result<StoreFile, ReadError> {
        let at = || self.0.at().to_owned();
        self.without_control_characters(key, text)?;
        StoreFile::parse(text).map_err(|why| ReadError::File { at: at(), key, why })
    }

    fn without_control_characters(&self, key: &'static str, text: &str) -> Result<(), ReadError> {
        if text.chars().any(char::is_control) {
            return Err(ReadError::ControlCharacter {
                at: self.0.at().to_owned(),
                key,
            });
        }
        Ok(())
    }
}

/// Whether a parameter holds `init=` to any reader: the kernel ignores a quote before a name, and NixOS' stage 1 splits at every space.
fn names_init(parameter: &str) -> bool {
    parameter
        .split_whitespace()
        .any(|word| word.trim_start_matches('"').starts_with("init="))
}
