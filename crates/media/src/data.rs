//! Data messages: `onMetaData`, cue points, captions as AMF0.

use std::fmt;

use bytes::Bytes;

use crate::Dts;

/// A script data message of a publisher, kept as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct DataMessage {
    /// Handler name: `onMetaData`, `onTextData`, … (at most 255 bytes).
    pub name: Box<str>,
    /// When it applies, in milliseconds of the stream's clock.
    pub dts: Dts,
    /// The whole message as AMF0, name included: an FLV script tag's body, and the payload of an
    /// RTMP data message (type 18). `@setDataFrame` has been taken off.
    pub amf0: Bytes,
}

impl DataMessage {
    /// Whether late joiners need it: the stream's description.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        &*self.name == "onMetaData"
    }
}

impl fmt::Debug for DataMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DataMessage({:?} at {} ms, {} bytes)",
            self.name,
            self.dts.0,
            self.amf0.len()
        )
    }
}
