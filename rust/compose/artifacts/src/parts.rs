//! What a UKI is made of, as it stands in a request.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::SectionName;
use touchstone_pe::layout::Content;
use touchstone_pe::uki::{Compat, Kernel, Profile, UkiError, UkiParts, Uname, cmdline_from_words};

use crate::efifw::FirmwareImage;
use crate::extra_initrd::Verification;
use crate::input::Input;
use crate::policy::PcrSigner;
use crate::source::{Text, TextFile, content};
use crate::{Error, Files, hwids};

/// What a UKI is made of. Texts are strings or `{"file": path}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Parts {
    /// The systemd stub.
    pub stub: PathBuf,
    /// The kernel: a PE image of the stub's architecture, or one that gzip or zstd compressed as a whole. Without it, the image is an
    /// addon, or a profile without a kernel of its own.
    pub linux: Option<PathBuf>,
    /// Initrds, joined in this order, each padded to four bytes.
    #[serde(default)]
    pub initrds: Vec<PathBuf>,
    /// Adds the initrd by which stage 1 verifies the system, behind the others: with it, an image boots what its command lines name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
    /// The kernel command line. As a string its words are joined by single spaces; a file's content is taken as it is.
    pub cmdline: Option<Text>,
    /// The os-release text.
    pub os_release: Option<Text>,
    /// The kernel's release; read from the kernel when not given.
    pub uname: Option<String>,
    /// SBAT entries, merged with the stub's and the kernel's; the default entry when there are none.
    #[serde(default)]
    pub sbat: Vec<Text>,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// A microcode archive.
    pub ucode: Option<PathBuf>,
    /// A device tree.
    pub dtb: Option<PathBuf>,
    /// Device trees of which the stub chooses the machine's.
    #[serde(default)]
    pub dtbauto: Vec<PathBuf>,
    /// A folder of JSON files, each of which describes a device by its hardware IDs.
    pub hwids: Option<PathBuf>,
    /// Firmware images, of which the stub chooses the machine's.
    #[serde(default)]
    pub efifw: Vec<FirmwareImage>,
    /// The public key for PCR signatures.
    pub pcrpkey: Option<PathBuf>,
    /// The signatures of PCR 11 values (JSON), made elsewhere.
    pub pcrsig: Option<Text>,
    /// The profile text. Without `joinProfiles` the image is a profile, to be joined to a UKI.
    pub profile: Option<Text>,
    /// Images with a profile each, which are joined to this UKI in this order.
    #[serde(default)]
    pub join_profiles: Vec<PathBuf>,
    /// More profiles, of texts, behind those. No request has them: `boot.artifacts` plans them.
    #[serde(skip)]
    pub profile_texts: Vec<ProfileTexts>,
    /// Additional sections.
    #[serde(default)]
    pub sections: Vec<ExtraSection>,
    /// The ukify release whose byte rules are followed.
    #[serde(default)]
    pub compat: Ukify,
    /// Whether the header's `CheckSum` is written; firmware ignores it and `ukify` leaves it zero.
    #[serde(default)]
    pub checksum: bool,
}

/// The texts of a profile that boots with another command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileTexts {
    /// `.profile`.
    pub profile: String,
    /// `.cmdline`; its words are joined by single spaces.
    pub cmdline: String,
}

impl ProfileTexts {
    fn opened(&self) -> Profile<'static> {
        Profile::of_texts(self.profile.clone(), cmdline_from_words(&self.cmdline))
    }
}

/// An additional section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraSection {
    /// Its name: a dot and up to seven characters.
    pub name: String,
    /// Its content; a file's may be of any kind.
    pub content: Text,
}

/// The release of ukify whose byte rules are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32")]
pub enum Ukify {
    /// ukify 257.
    V257,
    /// ukify 262.
    #[default]
    V262,
}

impl TryFrom<u32> for Ukify {
    type Error = String;

    fn try_from(release: u32) -> Result<Self, String> {
        match release {
            257 => Ok(Self::V257),
            262 => Ok(Self::V262),
            other => Err(format!(
                "the byte rules of ukify {other} are not known; there are 257 and 262"
            )),
        }
    }
}

impl From<Ukify> for u32 {
    fn from(release: Ukify) -> Self {
        match release {
            Ukify::V257 => 257,
            Ukify::V262 => 262,
        }
    }
}

impl From<Ukify> for Compat {
    fn from(release: Ukify) -> Self {
        match release {
            Ukify::V257 => Self::Ukify257,
            Ukify::V262 => Self::Ukify262,
        }
    }
}

impl Parts {
    /// The parts with their files open, and a place for the signatures of each profile's PCR 11. `shown` is the image's
    /// name in messages.
    pub(crate) fn opened_for(
        &self,
        files: &dyn Files,
        signer: Option<&PcrSigner>,
        shown: &Path,
    ) -> Result<UkiParts<'static>, Error> {
        let mut parts = self.opened(files)?;
        let Some(signer) = signer else {
            return Ok(parts);
        };
        parts.pcrpkey = parts.pcrpkey.or_else(|| signer.public_key());
        parts.pcrsig = Some(signer.section(shown)?);
        let joined = parts.joined.into_iter();
        parts.joined = joined
            .map(|profile| Ok(profile.with_pcrsig(signer.section(shown)?)))
            .collect::<Result<_, Error>>()?;
        Ok(parts)
    }

    /// The parts with their files open.
    pub(crate) fn opened(&self, files: &dyn Files) -> Result<UkiParts<'static>, Error> {
        let optional = |role, path: &Option<PathBuf>| {
            path.as_deref()
                .map(|path| content(files, role, path))
                .transpose()
        };
        Ok(UkiParts {
            linux: self
                .linux
                .as_deref()
                .map(|path| {
                    let kernel = Input::open(files, "kernel", path).map(Kernel::new)?;
                    Ok(kernel.of_file(path.to_owned()))
                })
                .transpose()?,
            initrds: self.opened_initrds(files)?,
            cmdline: self.read_cmdline(files)?,
            os_release: self.read_os_release(files)?,
            uname: self.uname.clone().map_or(Uname::Detect, Uname::Given),
            sbat: self
                .sbat
                .iter()
                .map(|text| text.read(files, "SBAT text"))
                .collect::<Result<_, _>>()?,
            splash: optional("splash", &self.splash)?,
            ucode: optional("microcode", &self.ucode)?,
            dtb: optional("device tree", &self.dtb)?,
            dtbauto: self
                .dtbauto
                .iter()
                .map(|path| content(files, "device tree", path))
                .collect::<Result<_, _>>()?,
            hwids: self
                .hwids
                .as_deref()
                .map(|folder| hwids::devices(files, folder, self.compat))
                .transpose()?,
            efifw: self
                .efifw
                .iter()
                .map(|image| image.opened(files))
                .collect::<Result<_, _>>()?,
            pcrpkey: optional("PCR public key", &self.pcrpkey)?,
            pcrsig: self.read_pcrsig(files)?,
            profile: self
                .profile
                .as_ref()
                .map(|text| text.read(files, "profile"))
                .transpose()?,
            joined: self
                .join_profiles
                .iter()
                .map(|path| Input::open(files, "profile", path).map(Profile::new))
                .chain(self.profile_texts.iter().map(|texts| Ok(texts.opened())))
                .collect::<Result<_, Error>>()?,
            extra: self
                .sections
                .iter()
                .map(|section| section.opened(files))
                .collect::<Result<_, _>>()?,
            compat: self.compat.into(),
            checksum: self.checksum,
        })
    }

    fn opened_initrds(&self, files: &dyn Files) -> Result<Vec<Content<'static>>, Error> {
        let initrds = self.initrds.iter();
        let mut initrds = initrds
            .map(|path| Ok(content(files, "initrd", path)?.of_file(path.to_owned())))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(verify) = &self.verify {
            initrds.extend(verify.initrd(files, &self.command_lines(files)?)?);
        }
        Ok(initrds)
    }

    /// Every command line of the image, with `verify`: the initrd in it names them.
    pub(crate) fn command_lines(&self, files: &dyn Files) -> Result<Vec<String>, Error> {
        let refused = |fact: &str, help| Error::Request {
            fact: fact.to_owned(),
            help,
        };
        if self.linux.is_none() || self.initrds.is_empty() {
            return Err(refused(
                "`verify` is given, and there is no kernel with an initrd that would verify anything",
                "give `linux` and `initrds`, or leave `verify` out",
            ));
        }
        if self.profile.is_some() || !self.join_profiles.is_empty() {
            return Err(refused(
                "`verify` is given together with images of profiles, whose command lines the initrd would have to name",
                "give the profiles as `profiles` of `boot.artifacts`, or leave `verify` out",
            ));
        }
        let profiles = self.profile_texts.iter();
        let profiles = profiles.map(|texts| cmdline_from_words(&texts.cmdline));
        let main = self.read_cmdline(files)?.unwrap_or_default();
        Ok(std::iter::once(main).chain(profiles).collect())
    }

    /// What is no JSON object is no set of signatures.
    fn read_pcrsig(&self, files: &dyn Files) -> Result<Option<Content<'static>>, Error> {
        let Some(text) = &self.pcrsig else {
            return Ok(None);
        };
        let role = "set of PCR signatures";
        let read = text.read(files, role)?;
        let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
            serde_json::from_str(&read);
        match parsed {
            Ok(_) => Ok(Some(Content::bytes(read.into_bytes()))),
            Err(error) => Err(Error::Text {
                role,
                file: text.file().unwrap_or(&self.stub).to_owned(),
                fact: format!("it is no JSON object: {error}"),
            }),
        }
    }

    /// As ukify has it: an empty text is as good as none, an empty file is an empty section.
    fn read_cmdline(&self, files: &dyn Files) -> Result<Option<String>, Error> {
        let Some(text) = &self.cmdline else {
            return Ok(None);
        };
        let read = text.read(files, "command line")?;
        Ok(match text {
            Text::Inline(_) => Some(cmdline_from_words(&read)).filter(|words| !words.is_empty()),
            Text::File(_) => Some(read),
        })
    }

    /// Likewise.
    fn read_os_release(&self, files: &dyn Files) -> Result<Option<Vec<u8>>, Error> {
        match &self.os_release {
            None => Ok(None),
            Some(Text::Inline(text)) if text.is_empty() => Ok(None),
            Some(text) => text
                .read(files, "os-release")
                .map(|text| Some(text.into_bytes())),
        }
    }

    /// The file that the error is about.
    pub(crate) fn at_fault(&self, error: &UkiError) -> Option<PathBuf> {
        let of = |text: &Option<Text>| Some(text.as_ref()?.file()?.to_owned());
        match error {
            UkiError::Kernel(_) => self.linux.clone(),
            UkiError::CmdlineNul(_) => of(&self.cmdline),
            UkiError::OsRelease { .. } => of(&self.os_release),
            UkiError::ProfileText { .. } | UkiError::SbatOfProfile | UkiError::PcrsigOfProfile => {
                of(&self.profile)
            }
            UkiError::Profile { index, .. } => self.join_profiles.get(*index).cloned(),
            UkiError::Hwids(_) => self.hwids.clone(),
            UkiError::Uname(_)
            | UkiError::Sbat(_)
            | UkiError::FirmwareId(_)
            | UkiError::NoFirmware(_)
            | UkiError::NotIn257(_)
            | UkiError::DuplicateSection(_)
            | UkiError::SectionName(_)
            | UkiError::TooLarge(_) => None,
            _ => Some(self.stub.clone()),
        }
    }
}

impl ExtraSection {
    fn opened(&self, files: &dyn Files) -> Result<(SectionName, Content<'static>), Error> {
        let name = self.name.parse().map_err(|source| Error::Uki {
            file: None,
            source: UkiError::SectionName(source),
        })?;
        let content = match &self.content {
            Text::Inline(text) => Content::bytes(text.clone().into_bytes()),
            Text::File(TextFile { file }) => content(files, "section's content", file)?,
        };
        Ok((name, content))
    }
}
