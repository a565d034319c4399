//! Timed metadata: what a publisher's data messages become where there is no AMF0.
//!
//! ```text
//! onCuePoint {name: "goal", time: 12.5}      AMF0, as it came
//!   ─▶ TXXX  onCuePoint = {"name":"goal","time":12.5}      a frame of an ID3v2.4 tag
//! ```

mod json;
pub mod scte35;
mod tag;

use media::{DataMessage, Rounding, Timescale};

use crate::{Scheme, TimedMetadata};

/// Longest tag that is made of a message, in bytes. Threat: messages of 256 KiB, which JSON makes
/// longer, in every segment of every viewer; and a PES packet of known length holds less than 64 KiB.
pub const MAX_TAG: usize = 32 << 10;

impl TimedMetadata {
    /// An ID3 tag of a data message: one `TXXX` frame, with the handler's name as description and
    /// the message's value as JSON (an array of all when there are several, `null` without one).
    /// `None` when the message cannot be read, or its tag is longer than [`MAX_TAG`].
    #[must_use]
    pub fn of_message(message: &DataMessage) -> Option<Self> {
        let text = json::arguments(&message.amf0)?;
        let bytes = tag::text(&message.name, &text);
        (bytes.len() <= MAX_TAG).then(|| Self {
            pts: Timescale::MILLIS.convert(message.dts.0, Timescale::NINETY_KHZ, Rounding::Nearest),
            duration: None,
            scheme: Scheme::Id3,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests;
