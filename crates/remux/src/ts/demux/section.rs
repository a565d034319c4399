//! Sections out of TS packets, and their checksum.
//!
//! ```text
//! packet with payload_unit_start: pointer 8 | end of a section | section | section | ff…
//! section (ISO/IEC 13818-1 §2.4.4.10): table id 8 | syntax 1, 3 bits, length 12 | … | CRC 32
//! ```

use super::stream::Arrival;

/// Gathers the sections of one PID. A section has at most 4098 bytes, which bounds the buffer.
#[derive(Debug, Default)]
pub(super) struct Sections {
    buffer: Vec<u8>,
    /// A section began: without a start nothing is gathered.
    open: bool,
}

impl Sections {
    /// Forgets an unfinished section: packets were lost.
    pub(super) fn reset(&mut self) {
        self.buffer.clear();
        self.open = false;
    }

    /// Takes a packet's payload and gives each section that it completes.
    pub(super) fn push(&mut self, payload: &[u8], starts: bool, mut found: impl FnMut(&[u8])) {
        if !starts {
            if self.open {
                self.buffer.extend_from_slice(payload);
                self.complete(&mut found);
            }
            return;
        }
        let Some((&pointer, rest)) = payload.split_first() else {
            return;
        };
        let Some((end, rest)) = rest.split_at_checked(pointer.into()) else {
            self.reset();
            return;
        };
        if self.open {
            self.buffer.extend_from_slice(end);
            self.complete(&mut found);
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(rest);
        self.open = true;
        self.complete(&mut found);
    }

    fn complete(&mut self, found: &mut impl FnMut(&[u8])) {
        let mut at = 0;
        while let Some(&[table, high, low]) = self.buffer.get(at..).and_then(|b| b.first_chunk()) {
            // Stuffing up to the end of the packet.
            if table == 0xff {
                self.reset();
                return;
            }
            let len = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
            let Some(section) = self.buffer.get(at..at + len) else {
                break;
            };
            found(section);
            at += len;
        }
        self.buffer.drain(..at);
        if self.buffer.first() == Some(&0xff) {
            self.reset();
        }
    }
}

/// The body of a section with a sound checksum: what is behind the header of three bytes and before
/// the CRC.
pub(super) fn checked(section: &[u8]) -> Option<&[u8]> {
    if crc32(section) != 0 {
        return None;
    }
    section.get(3..section.len().checked_sub(4)?)
}

/// ISO/IEC 13818-1 annex A: polynomial 0x04c11db7, start value all ones, not reflected. Over a
/// section with its CRC it is 0.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        let [high, ..] = crc.to_be_bytes();
        let entry = CRC_TABLE.get(usize::from(high ^ byte)).copied();
        crc << 8 ^ entry.unwrap_or_default()
    })
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0u32;
    while n < 256 {
        let mut crc = n << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[n as usize] = crc;
        n += 1;
    }
    table
};

/// Sections of one PID, and the last one that was read.
#[derive(Debug, Default)]
pub(super) struct Table {
    sections: Sections,
    continuity: Option<u8>,
    last: Vec<u8>,
}

impl Table {
    /// Takes a packet's payload and gives each sound section that differs from the last; false when
    /// one has a wrong checksum.
    pub(super) fn push(
        &mut self,
        arrival: Arrival,
        payload: &[u8],
        mut found: impl FnMut(&[u8], &[u8]),
    ) -> bool {
        let expected = self.continuity.map(|last| last.wrapping_add(1) & 0x0f);
        if self.continuity == Some(arrival.continuity) && !arrival.breaks {
            return true;
        }
        if expected.is_some_and(|expected| expected != arrival.continuity) {
            self.sections.reset();
        }
        self.continuity = Some(arrival.continuity);
        let mut sound = true;
        let last = &mut self.last;
        self.sections.push(payload, arrival.starts, |section| {
            if *last == section {
                return;
            }
            match checked(section) {
                Some(body) => {
                    found(section, body);
                    last.clear();
                    last.extend_from_slice(section);
                }
                None => sound = false,
            }
        });
        sound
    }

    /// What follows has nothing to do with what was.
    pub(super) fn forget_continuity(&mut self) {
        self.continuity = None;
        self.sections.reset();
    }

    /// Takes the next section even when it says what the last one said.
    pub(super) fn forget_last(&mut self) {
        self.last.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(len: u8) -> Vec<u8> {
        let mut section = vec![2, 0xb0, len];
        section.extend((0..len).map(|n| n % 9));
        section
    }

    fn gather(packets: &[(&[u8], bool)]) -> Vec<Vec<u8>> {
        let mut sections = Sections::default();
        let mut all = Vec::new();
        for (payload, starts) in packets {
            sections.push(payload, *starts, |found| all.push(found.to_vec()));
        }
        all
    }

    #[test]
    fn sections_span_packets_and_share_them() {
        let (one, two) = (section(20), section(7));
        let first = [&[0][..], &one[..9]].concat();
        let second = [&[14][..], &one[9..], &two, &[0xff; 5]].concat();
        let want = [one.clone(), two.clone()];
        assert_eq!(gather(&[(&first, true), (&second, true)]), want);
        // The rest in a packet without a start.
        assert_eq!(gather(&[(&first, true), (&one[9..], false)]), want[..1]);
        // Without its beginning, a section is nothing.
        assert!(gather(&[(&one[9..], false)]).is_empty());
        assert_eq!(gather(&[(&second, true)]), want[1..]);
    }

    #[test]
    fn pointer_past_the_packet_is_nothing() {
        assert!(gather(&[(&[200, 1, 2], true), (&[], true)]).is_empty());
    }

    #[test]
    fn checksum_is_that_of_the_standard() {
        // Rocksoft's check value for CRC-32/MPEG-2.
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
        let mut whole = section(9);
        whole.truncate(8);
        let crc = crc32(&whole).to_be_bytes();
        whole.extend(crc);
        assert_eq!(checked(&whole), Some(&[0, 1, 2, 3, 4][..]));
        whole[4] ^= 1;
        assert_eq!(checked(&whole), None);
        assert_eq!(checked(&[]), None);
    }
}
