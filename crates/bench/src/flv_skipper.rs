//! Reads endless FLV for the first bytes of each tag only; the rest is stepped over.

use rtmp::message::type_id;

use crate::Error;
use crate::chunk_skipper::Sink;
use crate::stamp::{Head, SEARCHED};

/// `FLV`, version, flags, header length (9); then the size of a tag before the first, 4 bytes.
const FILE_HEADER: usize = 13;
/// Type, body length, time, stream id.
const TAG_HEADER: usize = 11;
/// The size of the tag again, behind it.
const TAG_END: usize = 4;

/// One connection's FLV.
#[derive(Debug, Default)]
pub(crate) struct FlvSkipper {
    state: State,
    /// A header in pieces.
    carry: Vec<u8>,
    head: Head,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    File,
    Tag,
    Body(Body),
    /// Bytes left to step over.
    End(usize),
}

#[derive(Debug, Clone, Copy)]
struct Body {
    kind: u8,
    timestamp: u32,
    len: usize,
    left: usize,
}

impl FlvSkipper {
    /// Takes bytes, in any split.
    ///
    /// # Errors
    /// When they are not FLV.
    pub(crate) fn feed(&mut self, mut input: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        while !input.is_empty() {
            self.state = match self.state {
                State::File => match self.gather(FILE_HEADER, &mut input) {
                    None => return Ok(()),
                    Some(header) if header.starts_with(b"FLV\x01") => State::Tag,
                    Some(_) => return Err(Error::Protocol("the answer is not FLV".to_owned())),
                },
                State::Tag => match self.gather(TAG_HEADER, &mut input) {
                    None => return Ok(()),
                    Some(header) => State::Body(tag(&header)),
                },
                State::Body(mut body) => {
                    let (part, rest) = input.split_at(body.left.min(input.len()));
                    input = rest;
                    self.body(&mut body, part, sink)
                }
                State::End(left) => {
                    let step = left.min(input.len());
                    input = &input[step..];
                    match left - step {
                        0 => State::Tag,
                        left => State::End(left),
                    }
                }
            };
            if let State::Body(mut body @ Body { left: 0, .. }) = self.state {
                self.state = self.body(&mut body, &[], sink);
            }
        }
        Ok(())
    }

    /// The next `len` bytes, when all are there.
    fn gather(&mut self, len: usize, input: &mut &[u8]) -> Option<Vec<u8>> {
        let missing = len - self.carry.len();
        let (part, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        self.carry.extend_from_slice(part);
        (self.carry.len() == len).then(|| std::mem::take(&mut self.carry))
    }

    fn body(&mut self, body: &mut Body, part: &[u8], sink: &mut impl Sink) -> State {
        let is_whole = part.len() == body.len;
        body.left -= part.len();
        if !is_whole {
            self.head.push(part);
        }
        if body.left > 0 {
            return State::Body(*body);
        }
        let head = match is_whole {
            true => &part[..part.len().min(SEARCHED)],
            false => self.head.bytes(),
        };
        match body.kind {
            type_id::AUDIO => sink.audio(body.timestamp, head),
            type_id::VIDEO => sink.video(body.timestamp, head),
            _ => {}
        }
        self.head.clear();
        State::End(TAG_END)
    }
}

fn tag(header: &[u8]) -> Body {
    let byte = |at: usize| u32::from(header.get(at).copied().unwrap_or(0));
    let len = (byte(1) << 16 | byte(2) << 8 | byte(3)) as usize;
    Body {
        // The upper bits say that it is encrypted, or nothing.
        kind: (byte(0) & 0x1f) as u8,
        timestamp: byte(7) << 24 | byte(4) << 16 | byte(5) << 8 | byte(6),
        len,
        left: len,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Seen(Vec<(u8, u32, usize)>);

    impl Sink for Seen {
        fn video(&mut self, timestamp: u32, head: &[u8]) {
            self.0.push((9, timestamp, head.len()));
        }
        fn audio(&mut self, timestamp: u32, head: &[u8]) {
            self.0.push((8, timestamp, head.len()));
        }
        fn control(&mut self, _: u8, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }
    }

    fn put(out: &mut Vec<u8>, kind: u8, timestamp: u32, len: usize) {
        out.push(kind);
        out.extend_from_slice(&(len as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&timestamp.to_be_bytes()[1..]);
        out.push((timestamp >> 24) as u8);
        out.extend_from_slice(&[0; 3]);
        out.extend(std::iter::repeat_n(7, len));
        out.extend_from_slice(&(len as u32 + 11).to_be_bytes());
    }

    #[test]
    fn any_split_shows_the_same_tags() {
        let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        let tags = [
            (18, 0, 40),
            (9, 0, 9_000),
            (8, 23, 100),
            (9, 0x0123_4567, 1),
            (8, 46, 0),
            (9, 80, 5),
        ];
        for (kind, timestamp, len) in tags {
            put(&mut bytes, kind, timestamp, len);
        }
        let want: Vec<_> = tags
            .iter()
            .filter(|(kind, ..)| *kind != 18)
            .map(|&(kind, timestamp, len)| (kind, timestamp, len.min(SEARCHED)))
            .collect();
        for size in [1, 2, 11, 100, 5_000, bytes.len()] {
            let (mut skipper, mut seen) = (FlvSkipper::default(), Seen::default());
            for part in bytes.chunks(size) {
                skipper.feed(part, &mut seen).unwrap();
            }
            assert_eq!(seen.0, want, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_not_flv_is_an_error() {
        let error = FlvSkipper::default().feed(b"<html>nothing here", &mut Seen::default());
        assert!(error.unwrap_err().to_string().contains("not FLV"));
    }
}
