//! What a WebSocket viewer sends: only pings and its goodbye matter (RFC 6455 §5).
//!
//! ```text
//! | FIN, opcode | MASK, length | length 0, 2 or 8 | mask 4 | payload |
//! ```

/// Most payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL: usize = 125;
/// First opcode of control frames: close.
const CLOSE: u8 = 8;
/// Opcode of a ping.
const PING: u8 = 9;
/// First byte of an unmasked pong: FIN and opcode 10.
const PONG: u8 = 0x8a;

/// Takes a viewer's frames apart, whatever the splits of its bytes.
#[derive(Debug, Default)]
pub(crate) struct WsInput {
    /// The frame's header so far: at most 2 + 8 + 4 bytes.
    head: Vec<u8>,
    /// The payload of a control frame so far, unmasked.
    control: Vec<u8>,
    /// Payload bytes still to come; `None` while the header is read.
    left: Option<u64>,
}

/// What a viewer said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WsEvent {
    /// To be answered with this frame.
    Ping(Vec<u8>),
    /// It leaves, or breaks the protocol.
    Close,
}

impl WsInput {
    /// The next event; takes the bytes it needed off `input`. `None` when all are taken.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<WsEvent> {
        loop {
            if self.left == Some(0) {
                if let Some(event) = self.finish() {
                    return Some(event);
                }
                continue;
            }
            let (&byte, rest) = input.split_first()?;
            let Some(left) = self.left else {
                *input = rest;
                self.head.push(byte);
                self.left = self.payload_len();
                if self.is_control() && self.left.is_some_and(|len| len > MAX_CONTROL as u64) {
                    // Nothing that follows has a meaning any more.
                    self.head = vec![0];
                    self.left = Some(u64::MAX);
                    return Some(WsEvent::Close);
                }
                continue;
            };
            if self.is_control() {
                let mask = self.head.last_chunk::<4>().copied().unwrap_or_default();
                let key = mask.get(self.control.len() % 4).copied().unwrap_or(0);
                self.control.push(byte ^ key);
                *input = rest;
                self.left = Some(left - 1);
            } else {
                // Messages mean nothing here.
                let skip = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                *input = input.get(skip..).unwrap_or_default();
                self.left = Some(left - skip as u64);
            }
        }
    }

    fn opcode(&self) -> u8 {
        self.head.first().map_or(0, |byte| byte & 0x0f)
    }

    fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    /// The payload's length once the header is whole. Clients mask; a frame without a mask is
    /// read as one that breaks the protocol: as long as can be, so that nothing follows it.
    fn payload_len(&self) -> Option<u64> {
        let second = *self.head.get(1)?;
        let (extra, len) = match second & 0x7f {
            126 => (2, None),
            127 => (8, None),
            len => (0, Some(u64::from(len))),
        };
        let masked = second & 0x80 != 0;
        if self.head.len() < 2 + extra + if masked { 4 } else { 0 } {
            return None;
        }
        if !masked {
            return Some(u64::MAX);
        }
        let long = self.head.get(2..2 + extra).unwrap_or_default();
        Some(len.unwrap_or_else(|| long.iter().fold(0, |sum, &b| sum << 8 | u64::from(b))))
    }

    /// Ends a frame.
    fn finish(&mut self) -> Option<WsEvent> {
        let opcode = self.opcode();
        let payload = std::mem::take(&mut self.control);
        self.head.clear();
        self.left = None;
        match opcode {
            CLOSE => Some(WsEvent::Close),
            PING => {
                let mut pong = vec![PONG, u8::try_from(payload.len()).unwrap_or(0)];
                pong.extend_from_slice(&payload);
                Some(WsEvent::Ping(pong))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame.
    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 0, 255, 1];
        let mut out = vec![0x80 | opcode];
        match u8::try_from(payload.len()) {
            Ok(len @ 0..=125) => out.push(0x80 | len),
            _ => {
                out.push(0x80 | 126);
                out.extend(u16::try_from(payload.len()).unwrap_or(0).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        out
    }

    fn events(input: &[u8], split: usize) -> Vec<WsEvent> {
        let mut ws = WsInput::default();
        let mut out = Vec::new();
        for mut piece in input.chunks(split) {
            while let Some(event) = ws.next(&mut piece) {
                out.push(event);
            }
        }
        out
    }

    #[test]
    fn pings_are_answered_and_messages_skipped_whatever_the_splits() {
        let input = [
            frame(1, &[b'x'; 300]),
            frame(9, b"are you there"),
            frame(2, &[]),
            frame(9, &[]),
            frame(8, &[3, 232]),
        ]
        .concat();
        let pong = [&[0x8a, 13][..], b"are you there"].concat();
        for split in 1..input.len() {
            let wanted = [
                WsEvent::Ping(pong.clone()),
                WsEvent::Ping(vec![0x8a, 0]),
                WsEvent::Close,
            ];
            assert_eq!(events(&input, split), wanted, "in pieces of {split}");
        }
    }

    #[test]
    fn control_frame_that_is_too_long_or_not_masked_ends_it() {
        assert_eq!(events(&frame(9, &[0; 126]), 1)[0], WsEvent::Close);
        assert_eq!(events(&[0x89, 2, 1, 2], 4)[0], WsEvent::Close);
        assert!(
            events(
                &[
                    0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4, 5
                ],
                2
            )
            .is_empty()
        );
    }
}
