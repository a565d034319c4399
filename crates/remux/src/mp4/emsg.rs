//! Event messages: timed metadata between fragments.
//!
//! ```text
//! version 0  scheme | value | timescale | delta to the next fragment | duration | id | message
//! version 1  timescale | presentation time u64 | duration | id | scheme | value | message
//! ```
//!
//! Spec: ISO/IEC 23009-1 §5.10.3.3; ID3 in CMAF (AOM), §2.

use bytes::Bytes;
use media::{Rounding, Timescale};

use super::boxes::{Fields, put_full_box, put_u32, put_u64};
use crate::{Scheme, TimedMetadata};

/// The scheme of a message that is an ID3 tag.
const ID3: &str = "https://aomedia.org/emsg/ID3";
/// Duration that means unknown.
const UNKNOWN: u32 = u32::MAX;

/// An event message as it was read.
#[derive(Clone, Debug)]
pub(super) struct EventMessage {
    /// Ticks of 90 kHz; of a version 0 message behind the start of the next fragment.
    time: i64,
    is_relative: bool,
    metadata: TimedMetadata,
}

impl EventMessage {
    /// Reads the body of `emsg`.
    pub(super) fn read(body: &Bytes) -> Option<Self> {
        let mut fields = Fields(body);
        let (version, _) = fields.version()?;
        let (uri, value, timescale, time, duration, id);
        if version == 0 {
            uri = fields.text()?;
            value = fields.text()?;
            timescale = Timescale::new(fields.u32()?)?;
            time = i64::from(fields.u32()?);
            duration = fields.u32()?;
            id = fields.u32()?;
        } else {
            timescale = Timescale::new(fields.u32()?)?;
            time = i64::try_from(fields.u64()?).unwrap_or(i64::MAX);
            duration = fields.u32()?;
            id = fields.u32()?;
            uri = fields.text()?;
            value = fields.text()?;
        }
        let ticks = |ticks| timescale.convert(ticks, Timescale::NINETY_KHZ, Rounding::Nearest);
        let known = (duration != UNKNOWN).then(|| ticks(duration.into()));
        Some(Self {
            time: ticks(time),
            is_relative: version == 0,
            metadata: TimedMetadata {
                pts: 0,
                duration: known.map(|ticks| u32::try_from(ticks).unwrap_or(UNKNOWN - 1)),
                scheme: match uri {
                    ID3 => Scheme::Id3,
                    uri => Scheme::Emsg {
                        uri: uri.into(),
                        value: value.into(),
                        id,
                    },
                },
                bytes: body.slice_ref(fields.0),
            },
        })
    }

    /// Whether its time counts from the fragment that follows.
    pub(super) fn is_relative(&self) -> bool {
        self.is_relative
    }

    /// The message on the timeline, where the next fragment's presentation begins at `fragment`
    /// (ticks of 90 kHz).
    pub(super) fn placed(self, fragment: i64) -> TimedMetadata {
        let base = if self.is_relative { fragment } else { 0 };
        TimedMetadata {
            pts: self.time.saturating_add(base),
            ..self.metadata
        }
    }
}

/// The `emsg` (version 1) that carries `metadata`; it belongs before the `moof` whose time it
/// applies to. `shift`: ticks of 90 kHz to add to its time. A time before zero becomes zero: the
/// box has no negative ones.
#[must_use]
pub fn event_message(metadata: &TimedMetadata, shift: i64) -> Bytes {
    let (uri, value, id) = match &metadata.scheme {
        Scheme::Id3 => (ID3, "", 0),
        // SCTE 214-1 §6.7.4.
        Scheme::Scte35 => ("urn:scte:scte35:2013:bin", "", 0),
        Scheme::Emsg { uri, value, id } => (&**uri, &**value, *id),
    };
    let mut out = Vec::with_capacity(64 + metadata.bytes.len());
    put_full_box(&mut out, b"emsg", 1, 0, |out| {
        put_u32(out, Timescale::NINETY_KHZ.hz());
        let time = metadata.pts.saturating_add(shift).max(0);
        put_u64(out, time.cast_unsigned());
        put_u32(out, metadata.duration.unwrap_or(UNKNOWN));
        put_u32(out, id);
        for text in [uri, value] {
            // A zero byte would end the text early.
            out.extend(text.bytes().filter(|&byte| byte != 0));
            out.push(0);
        }
        out.extend_from_slice(&metadata.bytes);
    });
    out.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(scheme: Scheme) -> TimedMetadata {
        TimedMetadata {
            pts: 1 << 34,
            duration: Some(90_000),
            scheme,
            bytes: Bytes::from_static(b"ID3 tag"),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let scta = Scheme::Emsg {
            uri: "urn:scte:scte35:2013:bin".into(),
            value: "1".into(),
            id: 7,
        };
        for scheme in [Scheme::Id3, scta] {
            let message = message(scheme);
            let written = event_message(&message, 10);
            let read = EventMessage::read(&written.slice(8..)).unwrap();
            assert!(!read.is_relative());
            let mut want = message.clone();
            want.pts += 10;
            assert_eq!(read.placed(5), want);
        }
    }

    #[test]
    fn version_0_counts_from_the_fragment() {
        let mut out = Vec::new();
        put_full_box(&mut out, b"emsg", 0, 0, |out| {
            out.extend(b"urn:x\0\0");
            [1000, 500, UNKNOWN, 3]
                .into_iter()
                .for_each(|n| put_u32(out, n));
            out.extend(b"body");
        });
        let read = EventMessage::read(&Bytes::from(out).slice(8..)).unwrap();
        let placed = read.placed(900);
        assert_eq!((placed.pts, placed.duration), (45_900, None));
        assert_eq!(&placed.bytes[..], b"body");
        assert!(EventMessage::read(&Bytes::from_static(b"\0\0\0\0urn")).is_none());
    }
}
