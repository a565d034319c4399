//! Bytes to packets, and packets to what their PID is.

use bytes::{Buf, Bytes, BytesMut};

use super::programs::Slot;
use super::stream::Arrival;
use super::sync::{self, Found};
use super::{Demuxer, NotTs};
use crate::Event;
use crate::ts::packet::PACKET_LEN;

impl Demuxer {
    /// Looks for packets; whether there is something to read.
    #[cold]
    pub(super) fn search(&mut self) -> bool {
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(&self.input);
            self.input = self.carry.split().freeze();
        }
        let from = *self.garbage_from.get_or_insert(self.offset);
        let found = sync::find(&self.input, self.distance, self.ended);
        let (skipped, is_found) = match found {
            Found::At { at, distance } => {
                self.distance = Some(distance);
                (at, true)
            }
            Found::NotBefore(at) => (at, false),
        };
        self.input.advance(skipped);
        self.offset += skipped as u64;
        // The last look: nothing more can be found.
        let rest = if self.ended && !is_found {
            self.input.len() as u64
        } else {
            0
        };
        let end = self.offset + rest;
        if self.distance.is_none()
            && (end - from > self.limits.probe_bytes || rest > 0 || self.ended && end > 0)
        {
            self.not_ts = Some(NotTs { searched: end });
            self.input = Bytes::new();
            return false;
        }
        // A time code comes before its packet's sync byte.
        let time_code = if self.distance == Some(192) { 4 } else { 0 };
        if (is_found || self.ended) && end > from + time_code {
            self.shared
                .damage(from..end - time_code, None, "no MPEG-TS packets");
        }
        self.locked = is_found;
        if is_found {
            self.garbage_from = None;
            self.gap = 0;
        } else {
            if self.ended {
                self.garbage_from = Some(end);
                self.offset = end;
                self.input = Bytes::new();
            }
            self.carry = BytesMut::from(&self.input[..]);
            self.input = Bytes::new();
        }
        is_found
    }

    /// Reads packets up to the first event; false when more input is needed.
    pub(super) fn packets(&mut self) -> bool {
        let distance = self.distance.unwrap_or(PACKET_LEN);
        let mut input = std::mem::take(&mut self.input);
        if !self.carry.is_empty() {
            let missing = PACKET_LEN - self.carry.len();
            self.carry
                .extend_from_slice(&input.split_to(missing.min(input.len())));
            let Some(&packet) = self.carry.first_chunk::<PACKET_LEN>() else {
                return false;
            };
            self.carry.clear();
            // Its sync byte was looked at when the rest was kept.
            self.packet(&packet, self.offset);
            self.offset += PACKET_LEN as u64;
            self.gap = distance - PACKET_LEN;
        }
        let mut rest = &input[..];
        let goes_on = loop {
            if self.gap > 0 {
                let skip = self.gap.min(rest.len());
                rest = rest.get(skip..).unwrap_or_default();
                self.gap -= skip;
                self.offset += skip as u64;
            }
            if !self.shared.events.is_empty() {
                break true;
            }
            let Some((packet, behind)) = rest.split_first_chunk::<PACKET_LEN>() else {
                break false;
            };
            if packet.first() != Some(&0x47) {
                self.locked = false;
                break true;
            }
            self.packet(packet, self.offset);
            rest = behind;
            self.offset += PACKET_LEN as u64;
            self.gap = distance - PACKET_LEN;
        };
        let left = rest.len();
        input.advance(input.len() - left);
        if goes_on {
            self.input = input;
            return true;
        }
        match input.first() {
            // What is kept begins with a sync byte.
            Some(&byte) if byte != 0x47 => {
                self.locked = false;
                self.input = input;
                true
            }
            _ => {
                self.carry.extend_from_slice(&input);
                false
            }
        }
    }

    /// One TS packet (ISO/IEC 13818-1 §2.4.3.2).
    #[inline]
    fn packet(&mut self, packet: &[u8; PACKET_LEN], offset: u64) {
        let [_, high, low, control, rest @ ..] = packet;
        let slot = self.slot(u16::from_be_bytes([high & 0x1f, *low]));
        if slot == Slot::Unknown {
            return;
        }
        let end = offset + PACKET_LEN as u64;
        if high & 0x80 != 0 {
            let what = "a packet is marked as damaged";
            self.shared.damage(offset..end, None, what);
            return;
        }
        let mut arrival = Arrival {
            offset,
            end,
            starts: high & 0x40 != 0,
            continuity: control & 0x0f,
            scrambled: control & 0xc0 != 0,
            breaks: false,
        };
        let mut payload = &rest[..];
        if control & 0x20 != 0 {
            let Some((&len, behind)) = payload.split_first() else {
                return;
            };
            // Longer than the packet: nothing of it can be believed.
            let Some((field, behind)) = behind.split_at_checked(len.into()) else {
                self.shared.damage(
                    offset..end,
                    None,
                    "an adaptation field longer than its packet",
                );
                return;
            };
            arrival.breaks = field.first().is_some_and(|flags| flags & 0x80 != 0);
            payload = behind;
        }
        match slot {
            Slot::Stream(index) => {
                if arrival.breaks {
                    arrival.breaks = self.break_at(index, arrival);
                }
                if control & 0x10 == 0 {
                    return;
                }
                if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                    stream.packet(arrival, payload, &mut self.shared);
                }
            }
            _ if control & 0x10 == 0 || arrival.scrambled => {}
            Slot::Pat => self.pat(arrival, payload),
            Slot::Map(index) => self.map(index.into(), arrival, payload),
            Slot::Unknown => {}
        }
    }

    /// A stream's `discontinuity_indicator` (§2.4.3.5). The first of the program's streams tells of
    /// it; the others, which follow, only take note. Before it, what is open ends. False when the
    /// packet is the last one again.
    #[cold]
    fn break_at(&mut self, index: u8, arrival: Arrival) -> bool {
        let Some(stream) = self.streams.get_mut(usize::from(index)) else {
            return true;
        };
        if stream.repeats_break(arrival.continuity) {
            return false;
        }
        // A stream that was not there before has nothing to continue.
        if stream.breaks < self.breaks || stream.is_fresh {
            stream.breaks = self.breaks;
            return true;
        }
        self.breaks += 1;
        stream.breaks = self.breaks;
        self.flush(arrival.offset);
        for stream in &mut self.streams {
            stream.forget_time();
        }
        // Some muxers mark the first packets of a file.
        if self.shared.clock.newest.is_some() {
            self.shared.events.push_back(Event::Discontinuity);
        }
        true
    }

    /// The input ends within a packet: it costs the unit that it belongs to.
    pub(super) fn cut_off_packet(&mut self, end: u64) {
        let pid = match self.carry.get(1..3) {
            Some(&[high, low]) => Some(u16::from_be_bytes([high & 0x1f, low])),
            _ => None,
        };
        let slot = pid.map(|pid| self.slot(pid));
        match slot {
            Some(Slot::Stream(index)) => {
                if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                    stream.lose(end, "the last packet is cut off", &mut self.shared);
                }
            }
            _ => self
                .shared
                .damage(self.offset..end, None, "the last packet is cut off"),
        }
    }
}
