//! MPEG-TS (ISO/IEC 13818-1 §2.4): the first bytes of each video PES packet.

use super::OnFrame;
use crate::stamp::{Head, Stamp};

/// The first byte of every packet.
pub(super) const SYNC: u8 = 0x47;
const PACKET: usize = 188;

/// One segment.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// A packet in pieces.
    carry: Vec<u8>,
    /// PID of the video, known from its first PES packet.
    pid: Option<u16>,
    state: State,
    head: Head,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first picture.
    #[default]
    Before,
    /// The picture's stamp has not been found yet.
    Searching,
    /// The picture was told of.
    Told,
}

impl Frames {
    pub(super) fn feed(&mut self, mut bytes: &[u8], on_frame: &mut OnFrame<'_>) {
        if !self.carry.is_empty() {
            let missing = PACKET - self.carry.len();
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            bytes = rest;
            self.carry.extend_from_slice(part);
            if self.carry.len() < PACKET {
                return;
            }
            let carry = std::mem::take(&mut self.carry);
            self.packet(&carry, on_frame);
        }
        let mut packets = bytes.chunks_exact(PACKET);
        for packet in packets.by_ref() {
            self.packet(packet, on_frame);
        }
        self.carry.extend_from_slice(packets.remainder());
    }

    /// The picture that was begun is complete.
    pub(super) fn end(&mut self, on_frame: &mut OnFrame<'_>) {
        if self.state == State::Searching {
            on_frame(None);
        }
        self.state = State::Before;
    }

    fn packet(&mut self, packet: &[u8], on_frame: &mut OnFrame<'_>) {
        let &[SYNC, high, low, flags, ..] = packet else {
            return;
        };
        let pid = u16::from_be_bytes([high & 0x1f, low]);
        let begins = high & 0x40 != 0;
        // Most packets are the rest of a picture that was told of.
        if !begins && (self.pid != Some(pid) || self.state != State::Searching) {
            return;
        }
        let payload_at = match flags & 0x30 {
            0x10 => 4,
            0x30 => 5 + usize::from(packet.get(4).copied().unwrap_or(0)),
            _ => return,
        };
        let payload = packet.get(payload_at..).unwrap_or_default();
        if begins {
            // packet_start_code_prefix, then a stream id of video (§2.4.3.7).
            if !matches!(payload, [0, 0, 1, 0xe0..=0xef, ..]) {
                return;
            }
            self.end(on_frame);
            self.pid = Some(pid);
            self.head.clear();
            self.state = State::Searching;
        }
        self.head.push(payload);
        if let Some(stamp) = Stamp::find(self.head.bytes()) {
            self.state = State::Told;
            on_frame(Some(stamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video_tag::Codec;

    /// A PES packet of a picture in packets of a PID, with other packets between.
    fn picture(out: &mut Vec<u8>, frame: Option<u32>, filler: usize) {
        let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1];
        pes.extend_from_slice(&[0, 0, 0, 1, 9, 0xf0]);
        pes.extend(std::iter::repeat_n(0x11, filler));
        if let Some(frame) = frame {
            let stamp = Stamp {
                stream: 1,
                frame,
                sent_ns: 5,
            };
            stamp.write(Codec::H264, &mut pes);
        }
        pes.extend(std::iter::repeat_n(0x22, 500));
        for (index, part) in pes.chunks(150).enumerate() {
            let stuffing = 184 - part.len();
            let begin = if index == 0 { 0x41 } else { 0x01 };
            out.extend([SYNC, begin, 0, 0x30, stuffing as u8 - 1, 0]);
            out.extend(std::iter::repeat_n(0xff, stuffing - 2));
            out.extend_from_slice(part);
            // Audio, whose PES begins in between.
            out.extend([SYNC, 0x41, 1, 0x10, 0, 0, 1, 0xc0]);
            out.extend(std::iter::repeat_n(0, 180));
        }
    }

    #[test]
    fn any_split_shows_each_picture_once() {
        let mut bytes = Vec::new();
        for (frame, filler) in [
            (Some(7), 0),
            (None, 10),
            (Some(8), 100),
            (Some(9), 1_000),
            (None, 5_000),
        ] {
            picture(&mut bytes, frame, filler);
        }
        for size in [1, 187, 188, 189, 1_000, bytes.len()] {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            let mut on_frame = |stamp: Option<Stamp>| seen.push(stamp.map(|stamp| stamp.frame));
            for part in bytes.chunks(size) {
                frames.feed(part, &mut on_frame);
            }
            frames.end(&mut on_frame);
            assert_eq!(
                seen,
                [Some(7), None, Some(8), Some(9), None],
                "pieces of {size}"
            );
        }
    }
}
