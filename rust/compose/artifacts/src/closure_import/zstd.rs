//! Zstandard: all frames of a file, one after the other, as `zstd` itself reads them.
//!
//! Source: RFC 8878, sections 3 and 3.1.2.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What a file of Zstandard frames holds.
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether there was any: an empty file is none of Zstandard.
    begun: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            begun: false,
        }
    }

    /// Goes on to the next frame. None at the end of the file.
    fn next(&mut self) -> io::Result<Option<()>> {
        while !self.source.fill_buf()?.is_empty() || !self.begun {
            self.begun = true;
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(Some(())),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length.into())?,
                Err(error) => return Err(damaged(error)),
            }
        }
        Ok(None)
    }

    /// Passes over a frame that is no content.
    fn skip(&mut self, length: u64) -> io::Result<()> {
        let mut frame = self.source.by_ref().take(length);
        match io::copy(&mut frame, &mut io::sink())? {
            skipped if skipped == length => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame that is passed over is cut",
            )),
        }
    }

    /// Whether a frame has more to give.
    fn is_open(&self) -> bool {
        self.decoder.can_collect() > 0 || !self.decoder.is_finished()
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.decoder.can_collect() == 0 {
            if !self.is_open() && self.next()?.is_none() {
                return Ok(0);
            }
            if !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.source, one);
                decoded.map_err(damaged)?;
            }
        }
        self.decoder.read(buffer)
    }
}

fn damaged(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// A frame that decoders pass over, with three bytes in it.
    const SKIPPABLE: &[u8] = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";

    fn frame(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    fn read(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = Frames::new(file).read_to_end(&mut content);
        read.map(|_| content)
    }

    #[test]
    fn all_frames_of_a_file_are_its_content() {
        let big = [7; 300_000];
        let file = [&frame(&big)[..], SKIPPABLE, &frame(b""), &frame(b"end")].concat();
        assert_eq!(read(&file).unwrap(), [&big[..], b"end"].concat());
        assert_eq!(read(&[SKIPPABLE, &frame(b"x")].concat()).unwrap(), b"x");
        assert_eq!(read(&frame(b"")).unwrap(), b"");
    }

    #[test]
    fn what_is_no_frame_is_refused_wherever_it_stands() {
        for rest in [
            &b"\0"[..],
            b"garbage",
            &frame(b"cut")[..7],
            b"\x5a\x2a\x4d\x18\xff\0\0\0a",
        ] {
            assert!(read(rest).is_err());
            assert!(read(&[&frame(b"content"), rest].concat()).is_err());
        }
        assert!(read(b"").is_err());
        let whole = frame(&[1; 1000]);
        for cut in 1..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
