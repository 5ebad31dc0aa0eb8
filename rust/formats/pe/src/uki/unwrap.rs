//! Kernels that are compressed as a whole, read as if they were not.
//!
//! A stub starts PE images only, so that `ukify` decompresses such a kernel, and so do we. Nothing is held but the decoder's own
//! window (32 KiB for gzip, at most 128 MiB for zstd): the kernel is decompressed once for its length, once to look for its version,
//! and once while the UKI is written.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::shared::{Shared, Window, position};
use crate::io::CHUNK;

/// A compression that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952: arm64's `Image.gz`, for one.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The first byte of what is compressed so.
    fn first_byte(self) -> u8 {
        match self {
            Self::Gzip => 0x1f,
            Self::Zstd => 0x28,
        }
    }

    /// By the name that a zboot header gives it.
    pub(super) fn of_zboot(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// How a file is compressed.
pub(super) enum Wrapping {
    Known(Compression),
    Unknown(&'static str),
}

/// By the first bytes of the file; `None` if it is not compressed.
pub(super) fn wrapping(start: &[u8]) -> Option<Wrapping> {
    Some(match start {
        [0x1f, 0x8b, ..] => Wrapping::Known(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Wrapping::Known(Compression::Zstd),
        [0xfd, b'7', b'z', b'X', ..] => Wrapping::Unknown("xz"),
        [0x02, 0x21, 0x4c, 0x18, ..] | [0x04, 0x22, 0x4d, 0x18, ..] => Wrapping::Unknown("lz4"),
        [0x5d, 0, 0, _, ..] => Wrapping::Unknown("lzma"),
        [0x89, b'L', b'Z', b'O', ..] => Wrapping::Unknown("lzo"),
        [b'B', b'Z', b'h', _, ..] => Wrapping::Unknown("bzip2"),
        _ => return None,
    })
}

enum Member<R: BufRead> {
    Gzip(GzDecoder<R>),
    Zstd(Box<StreamingDecoder<R, FrameDecoder>>),
}

/// Decompresses `R`: one member or frame, or several after one another, padded with zeros.
pub(super) struct Decoder<R: BufRead> {
    compression: Compression,
    /// Bytes behind the first member are left alone.
    alone: bool,
    member: Option<Member<R>>,
}

impl<R: BufRead> Decoder<R> {
    /// Of a whole file.
    pub fn of_file(source: R, compression: Compression) -> io::Result<Self> {
        Self::new(source, compression, false)
    }

    /// Of a zboot image's payload, behind which its length may stand.
    pub fn of_payload(source: R, compression: Compression) -> io::Result<Self> {
        Self::new(source, compression, true)
    }

    fn new(source: R, compression: Compression, alone: bool) -> io::Result<Self> {
        Ok(Self {
            compression,
            alone,
            member: Some(Member::new(source, compression)?),
        })
    }

    /// At the end of a member: begins the next one, if there is one.
    fn advance(&mut self) -> io::Result<()> {
        let Some(member) = self.member.take() else {
            return Ok(());
        };
        let mut source = member.finish()?;
        if self.alone {
            return Ok(());
        }
        match skip_zeros(&mut source)? {
            None => Ok(()),
            Some(byte) if byte == self.compression.first_byte() => {
                self.member = Some(Member::new(source, self.compression)?);
                Ok(())
            }
            Some(_) => Err(invalid("other bytes follow the compressed ones")),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let got = match member {
                Member::Gzip(decoder) => decoder.read(out)?,
                Member::Zstd(decoder) => decoder.read(out)?,
            };
            if got > 0 {
                return Ok(got);
            }
            self.advance()?;
        }
        Ok(0)
    }
}

impl<R: BufRead> Member<R> {
    fn new(source: R, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(GzDecoder::new(source)),
            Compression::Zstd => Self::Zstd(Box::new(
                StreamingDecoder::new(source).map_err(io::Error::other)?,
            )),
        })
    }

    /// Checks the member that was read; returns the source at its end.
    fn finish(self) -> io::Result<R> {
        match self {
            // Its checksum was compared when its end was read.
            Self::Gzip(decoder) => Ok(decoder.into_inner()),
            Self::Zstd(decoder) => {
                let (source, frame) = decoder.into_parts();
                let stored = frame.get_checksum_from_data();
                if stored.is_some() && stored != frame.get_calculated_checksum() {
                    return Err(invalid("the checksum does not match"));
                }
                Ok(source)
            }
        }
    }
}

/// The first byte that is not zero, still to be read.
fn skip_zeros(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let found = bytes.get(zeros).copied();
        source.consume(zeros);
        if found.is_some() {
            return Ok(found);
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A compressed file as a source of what is in it. To seek back is to begin afresh.
pub(super) struct Unwrapped<'a> {
    packed: Shared<'a>,
    packed_len: u64,
    compression: Compression,
    decoder: Decoder<BufReader<Window<'a>>>,
    /// How many bytes the decoder has given.
    given: u64,
    /// Where the next read begins.
    at: u64,
    len: u64,
}

impl<'a> Unwrapped<'a> {
    /// Decompresses `packed` once to find the length. Refuses more than a PE image can hold.
    pub fn open(packed: Shared<'a>, compression: Compression) -> io::Result<Self> {
        let packed_len = packed.len()?;
        let begin = || {
            let window = packed.window(0, packed_len);
            Decoder::of_file(BufReader::with_capacity(CHUNK, window), compression)
        };
        let most = u64::from(u32::MAX) + 1;
        let len = io::copy(&mut begin()?.take(most), &mut io::sink())?;
        if len == most {
            return Err(invalid("it is larger than 4 GiB, which no PE image can be"));
        }
        let decoder = begin()?;
        Ok(Self {
            packed,
            packed_len,
            compression,
            decoder,
            given: 0,
            at: 0,
            len,
        })
    }

    /// Brings the decoder to where the next read begins.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.at < self.given {
            let window = self.packed.window(0, self.packed_len);
            let window = BufReader::with_capacity(CHUNK, window);
            self.decoder = Decoder::of_file(window, self.compression)?;
            self.given = 0;
        }
        let skipped = self.at - self.given;
        self.given += io::copy(&mut (&mut self.decoder).take(skipped), &mut io::sink())?;
        Ok(())
    }
}

impl Read for Unwrapped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.len {
            return Ok(0);
        }
        self.catch_up()?;
        let got = self.decoder.read(out)?;
        self.given += got as u64;
        self.at = self.given;
        Ok(got)
    }
}

impl Seek for Unwrapped<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = position(to, self.at, self.len)?;
        Ok(self.at)
    }
}
