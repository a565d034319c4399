//! The reading half of a WebSocket (RFC 6455) and the few frames that it has to answer.

use crate::Error;

/// The fields that ask for a WebSocket. The key proves nothing, so it is always the same.
pub(crate) const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2lkZXN0cmVhbSBiZW5jaA==\r\n";

/// Longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES: usize = 125;
/// Two bytes, and eight of a long length.
const HEADER_BYTES: usize = 10;

/// Takes frames apart.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: Vec<u8>,
    /// Operation code and bytes left of the frame that is being read.
    frame: Option<(u8, u64)>,
    control: Vec<u8>,
    /// Frames to be sent to the server.
    pub(crate) replies: Vec<u8>,
}

impl Frames {
    /// Takes bytes, in any split, and gives those of data frames to `data`.
    ///
    /// # Errors
    /// When the server says goodbye or breaks the protocol, or `data` fails.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        data: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while !input.is_empty() {
            match self.frame {
                None => {
                    let (&byte, rest) = input.split_first().expect("it is not empty");
                    input = rest;
                    self.header.push(byte);
                    self.frame = frame(&self.header)?;
                }
                Some((code, left)) => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (part, rest) = input.split_at(len);
                    input = rest;
                    self.frame = Some((code, left - part.len() as u64));
                    match code {
                        0..=2 => data(part)?,
                        _ => self.control.extend_from_slice(part),
                    }
                }
            }
            if let Some((code, 0)) = self.frame {
                self.frame = None;
                self.header.clear();
                self.end(code)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, code: u8) -> Result<(), Error> {
        match code {
            8 => return Err(Error::Ended),
            9 => {
                // A pong with the same payload, masked with zeros as clients must (§5.3).
                self.replies.push(0x8a);
                self.replies.push(0x80 | self.control.len() as u8);
                self.replies.extend_from_slice(&[0; 4]);
                self.replies.extend_from_slice(&self.control);
            }
            _ => {}
        }
        self.control.clear();
        Ok(())
    }
}

/// Operation code and length, when the header is complete.
fn frame(header: &[u8]) -> Result<Option<(u8, u64)>, Error> {
    let (&[first, second], rest) = match header.split_first_chunk() {
        Some(split) => split,
        None => return Ok(None),
    };
    debug_assert!(header.len() <= HEADER_BYTES);
    if second & 0x80 != 0 {
        return Err(Error::Protocol("the server masks its frames".to_owned()));
    }
    let len = match (second, rest.len()) {
        (126, 2) | (127, 8) => rest.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)),
        (126 | 127, _) => return Ok(None),
        (len, _) => len.into(),
    };
    let code = first & 0x0f;
    if code >= 8 && len > CONTROL_BYTES as u64 {
        return Err(Error::Protocol(format!("a control frame of {len} bytes")));
    }
    Ok(Some((code, len)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_split_gives_the_same_data_and_one_pong() {
        let mut bytes = vec![0x82, 3, b'a', b'b', b'c'];
        bytes.extend([0x89, 2, b'h', b'i']);
        bytes.extend([0x82, 126, 1, 0]);
        bytes.extend([b'd'; 256]);
        bytes.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend([b'e'; 65_536]);
        bytes.extend([0x82, 0]);
        for size in [1, 2, 5, 1_000, bytes.len()] {
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            for part in bytes.chunks(size) {
                let mut data = |part: &[u8]| {
                    out.extend_from_slice(part);
                    Ok(())
                };
                frames.feed(part, &mut data).unwrap();
            }
            assert_eq!((out.len(), &out[..4]), (3 + 256 + 65_536, &b"abcd"[..]));
            assert_eq!(frames.replies, [0x8a, 0x82, 0, 0, 0, 0, b'h', b'i']);
        }
    }

    #[test]
    fn a_goodbye_ends_it() {
        let mut frames = Frames::default();
        let error = frames.feed(&[0x88, 2, 3, 0xe8], &mut |_| Ok(()));
        assert!(matches!(error, Err(Error::Ended)));
    }
}
