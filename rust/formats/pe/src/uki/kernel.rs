//! What is looked at in a kernel before it goes into a UKI.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::shared::{Shared, Source};
use super::unwrap::{Unwrapped, Wrapping, wrapping};
use super::{KernelError, SBAT_LIMIT, version};
use crate::io::read_at;
use crate::layout::Content;
use crate::sbat::Entries;
use crate::{Image, Machine, ReadError};

/// A kernel: looked at while a UKI is planned, copied when it is written.
///
/// One that is compressed as a whole with gzip or zstd is decompressed on the way, as `ukify` does; a zboot image stays as it is, for
/// it is a PE image that decompresses itself.
pub struct Kernel<'a> {
    source: Box<dyn Source + 'a>,
    file: Option<PathBuf>,
}

/// A kernel's PE image.
struct Opened<'a> {
    source: Box<dyn Source + 'a>,
    image: Image,
    /// It had to be decompressed.
    was_wrapped: bool,
}

/// What planning needs to know about a kernel.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub sbat: Option<Entries>,
    pub uname: Option<String>,
    pub lacks_nx_compat: bool,
}

impl<'a> Kernel<'a> {
    /// The kernel that `source` holds from its start to its end.
    pub fn new(source: impl Read + Seek + 'a) -> Self {
        Self {
            source: Box::new(source),
            file: None,
        }
    }

    /// The same, of which the caller says that a file holds it and nothing else ([`Content::of_file`]).
    pub fn of_file(self, file: PathBuf) -> Self {
        let file = Some(file);
        Self { file, ..self }
    }

    /// Checks the kernel against the stub's architecture. Returns the content of `.linux`.
    pub(super) fn inspect(
        mut self,
        stub: Machine,
        detect_uname: bool,
    ) -> Result<(Content<'a>, Facts), KernelError> {
        let file = self.file.take();
        let Opened {
            mut source,
            image,
            was_wrapped,
        } = self.opened()?;
        if image.machine() != stub {
            return Err(KernelError::Architecture {
                kernel: image.machine(),
                stub,
            });
        }
        let uname = if detect_uname {
            version::detect(&mut *source)?
        } else {
            None
        };
        let facts = Facts {
            sbat: sbat(&image, &mut *source)?,
            uname,
            lacks_nx_compat: lacks_nx_compat(&image),
        };
        source.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
        let content = Content::reader(image.len(), Box::new(source));
        let content = match file.filter(|_| !was_wrapped) {
            Some(file) => content.of_file(file),
            None => content,
        };
        Ok((content, facts))
    }

    /// The bytes that `.linux` would have: those of the PE image, decompressed if it has to be.
    ///
    /// # Errors
    /// [`KernelError`] when there is no PE image in it.
    pub fn decompressed(self) -> Result<Box<dyn Read + 'a>, KernelError> {
        let Opened {
            mut source, image, ..
        } = self.opened()?;
        source.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
        Ok(Box::new(source.take(image.len())))
    }

    /// Whether `.linux` would have the bytes of the source, all of them as they are.
    ///
    /// # Errors
    /// [`KernelError`] when there is no PE image in it.
    pub fn is_plain(self) -> Result<bool, KernelError> {
        Ok(!self.opened()?.was_wrapped)
    }

    /// The kernel as a PE image, decompressed if it has to be.
    fn opened(mut self) -> Result<Opened<'a>, KernelError> {
        let error = match Image::read(&mut *self.source) {
            Ok(image) => {
                return Ok(Opened {
                    source: self.source,
                    image,
                    was_wrapped: false,
                });
            }
            Err(error @ ReadError::NotPe(_)) => error,
            Err(error) => return Err(KernelError::Read(error)),
        };
        let start = read_at(&mut *self.source, 0, 4, "its start").unwrap_or_default();
        let compression = match wrapping(&start) {
            Some(Wrapping::Known(compression)) => compression,
            Some(Wrapping::Unknown(name)) => return Err(KernelError::Compressed(name)),
            None => return Err(KernelError::NotPe(error)),
        };
        let mut unwrapped =
            Unwrapped::open(Shared::new(self.source), compression).map_err(|source| {
                KernelError::Damaged {
                    compression,
                    source,
                }
            })?;
        let image = Image::read(&mut unwrapped).map_err(|source| KernelError::Within {
            compression,
            source,
        })?;
        Ok(Opened {
            source: Box::new(unwrapped),
            image,
            was_wrapped: true,
        })
    }
}

/// Without it, firmware may need memory that is both writable and executable to start the kernel, and so does the UKI.
fn lacks_nx_compat(image: &Image) -> bool {
    let nx_compat = goblin::pe::dll_characteristic::IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
    image.dll_characteristics() & nx_compat == 0
}

fn sbat(image: &Image, source: &mut dyn Source) -> Result<Option<Entries>, KernelError> {
    let Some(section) = image.section(".sbat") else {
        return Ok(None);
    };
    let bytes = image.section_bytes(source, section, SBAT_LIMIT)?;
    Entries::parse(&bytes).map(Some).map_err(KernelError::Sbat)
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kernel")
    }
}
