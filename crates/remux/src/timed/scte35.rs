//! Splice information sections (SCTE 35): as much of them as playlists say.
//!
//! ```text
//! table id fc | 0, 0, sap 2, length 12 | version 8 | encrypted 1, algorithm 6, pts_adjustment 33 |
//! cw index 8 | tier 12, command length 12 | command type 8 | command | descriptors length 16 |
//! descriptors | CRC 32
//!   splice_insert 5   event id 32 | cancel 1, 7 | out 1, program 1, duration 1, immediate 1, 4 |
//!                     splice time, or of each component | break duration 40 | program id 16 | avail 16
//!   time_signal 6     splice time: specified 1, 6, pts 33
//!   descriptor 2      length 8 | "CUEI" | event id 32 | cancel 1, 7 | program 1, duration 1, 6 |
//!                     components | duration 40 | upid type 8, length 8 | upid | type id 8 | …
//! ```
//!
//! Spec: ANSI/SCTE 35 §9.6, §9.7.3, §9.7.4, §9.8.1, §10.3.3.

use bytes::Bytes;

use crate::ts::crc32;

/// A section that was read. Times are ticks of 90 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Splice {
    /// What happens.
    pub kind: Kind,
    /// Which event: the command's, or that of its segmentation descriptor.
    pub event: Option<u32>,
    /// When, on the clock of the transport stream modulo 2^33, with `pts_adjustment` added; `None`:
    /// at once.
    pub pts: Option<u64>,
    /// How long the break will be, on a splice out.
    pub duration: Option<u64>,
}

/// What a section means for who places advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A break begins: a splice out of the network, or the start of an advertisement or of an
    /// opportunity to place one.
    Out,
    /// It ends.
    In,
    /// Anything else.
    Other,
}

/// Modulus of times.
const TURN: u64 = 1 << 33;
/// Where a section says whether it is encrypted, how, and `pts_adjustment`: 1, 6 and 33 bits.
const ADJUSTMENT: std::ops::Range<usize> = 4..9;

impl Splice {
    /// Reads a whole section; `None` when its checksum or its structure is not sound. Of an encrypted
    /// one nothing is known but that it is there.
    #[must_use]
    pub fn parse(section: &[u8]) -> Option<Self> {
        let [0xfc, high, low, ..] = section else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([high & 0x0f, *low]));
        if section.len() != 3 + len || crc32(section) != 0 {
            return None;
        }
        let mut bits = Bits(section.get(3..section.len().checked_sub(4)?)?);
        let _version = bits.take(1)?;
        let adjustment = bits.take(5)?;
        let is_encrypted = adjustment >> 39 == 1;
        let adjustment = adjustment % TURN;
        let _index = bits.take(1)?;
        let command_len = bits.take(3)? & 0xfff;
        let kind = bits.take(1)?;
        let mut splice = Self {
            kind: Kind::Other,
            event: None,
            pts: None,
            duration: None,
        };
        if is_encrypted {
            return Some(splice);
        }
        // Old encoders say 0xfff for a length that they do not know.
        let mut body = match usize::try_from(command_len).ok()? {
            0xfff => bits,
            len => Bits(bits.split(len)?),
        };
        match kind {
            5 => splice.insert(&mut body)?,
            6 => splice.pts = body.time()?,
            _ => {}
        }
        if command_len == 0xfff {
            bits = body;
        }
        if kind == 6 {
            splice.descriptors(&mut bits)?;
        }
        splice.pts = splice.pts.map(|pts| (pts + adjustment) % TURN);
        Some(splice)
    }

    fn insert(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.event = Some(u32::try_from(bits.take(4)?).ok()?);
        if bits.take(1)? & 0x80 != 0 {
            return Some(());
        }
        let flags = bits.take(1)?;
        let [out, program, duration, immediate] =
            [0x80, 0x40, 0x20, 0x10].map(|bit| flags & bit != 0);
        self.kind = if out { Kind::Out } else { Kind::In };
        if program && !immediate {
            self.pts = bits.time()?;
        } else if !program {
            for _ in 0..bits.take(1)? {
                let _tag = bits.take(1)?;
                if !immediate {
                    let time = bits.time()?;
                    self.pts = self.pts.or(time);
                }
            }
        }
        if duration {
            self.duration = Some(bits.take(5)? % TURN).filter(|_| out);
        }
        let _program_and_avail = bits.take(4)?;
        Some(())
    }

    /// The first segmentation that says something of breaks, or else the first one.
    fn descriptors(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let len = usize::try_from(bits.take(2)?).ok()?;
        let mut bits = Bits(bits.split(len)?);
        while !bits.0.is_empty() {
            let tag = bits.take(1)?;
            let len = usize::try_from(bits.take(1)?).ok()?;
            let body = bits.split(len)?;
            if tag != 2 || !body.starts_with(b"CUEI") {
                continue;
            }
            let (event, kind, duration) = segmentation(&mut Bits(body.get(4..)?))?;
            if self.event.is_none() || kind != Kind::Other {
                self.event = Some(event);
                self.kind = kind;
                self.duration = duration.filter(|_| kind == Kind::Out);
            }
            if kind != Kind::Other {
                break;
            }
        }
        Some(())
    }
}

/// The section with all its times so many ticks of 90 kHz later, by its `pts_adjustment` (§9.6.1),
/// which is in clear in encrypted ones too; `None` when it is not sound.
#[must_use]
pub fn moved(section: &[u8], ticks: i64) -> Option<Bytes> {
    Splice::parse(section)?;
    let mut out = section.to_vec();
    let (head, crc) = out.split_at_mut_checked(section.len().checked_sub(4)?)?;
    let field = head.get_mut(ADJUSTMENT)?;
    let before = field
        .iter()
        .fold(0, |all, byte| all << 8 | u64::from(*byte));
    let ticks = ticks.rem_euclid(TURN.cast_signed()).cast_unsigned();
    let after = before / TURN * TURN + (before % TURN + ticks) % TURN;
    field.copy_from_slice(after.to_be_bytes().get(3..)?);
    crc.copy_from_slice(&crc32(head).to_be_bytes());
    Some(out.into())
}

/// Event, kind and duration; one that is cancelled is of no kind that matters.
fn segmentation(bits: &mut Bits<'_>) -> Option<(u32, Kind, Option<u64>)> {
    let event = u32::try_from(bits.take(4)?).ok()?;
    if bits.take(1)? & 0x80 != 0 {
        return Some((event, Kind::Other, None));
    }
    let flags = bits.take(1)?;
    if flags & 0x80 == 0 {
        let components = usize::try_from(bits.take(1)?).ok()?;
        bits.split(6 * components)?;
    }
    let duration = match flags & 0x40 {
        0 => None,
        _ => Some(bits.take(5)?),
    };
    let _upid_type = bits.take(1)?;
    let upid_len = usize::try_from(bits.take(1)?).ok()?;
    bits.split(upid_len)?;
    // Table 23: a break; an advertisement, or an opportunity for one, of the provider or of the
    // distributor, in programs and overlaid; blocks of them. An even one begins what the odd one ends.
    let kind = match bits.take(1)? {
        0x22 | 0x30 | 0x32 | 0x34 | 0x36 | 0x38 | 0x3a | 0x44 | 0x46 => Kind::Out,
        0x23 | 0x31 | 0x33 | 0x35 | 0x37 | 0x39 | 0x3b | 0x45 | 0x47 => Kind::In,
        _ => Kind::Other,
    };
    Some((event, kind, duration))
}

/// Bytes from the front.
#[derive(Clone, Copy)]
struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    /// A number of so many bytes, at most eight.
    fn take(&mut self, bytes: usize) -> Option<u64> {
        let number = self.split(bytes)?;
        Some(
            number
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte)),
        )
    }

    fn split(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(first)
    }

    /// `splice_time()`; the outer `None` when it is cut off.
    fn time(&mut self) -> Option<Option<u64>> {
        match self.0.first()? & 0x80 {
            0 => self.take(1).map(|_| None),
            _ => self.take(5).map(|time| Some(time % TURN)),
        }
    }
}

#[cfg(test)]
mod tests;
