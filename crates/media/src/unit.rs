//! The access unit: what travels from a publisher to every output.

use std::fmt;

use bytes::Bytes;

use crate::{Dts, Pts, Ticks, TrackId};

/// What a decoder may do at, or without, an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameRole {
    /// Decoding can start here (IDR, CRA with leading pictures marked by the encoder as key,
    /// AV1 key frame). Every audio frame has this role too.
    RandomAccess,
    /// Depends on earlier units.
    Inter,
    /// Depends on earlier units; nothing depends on it (FLV frame type 3).
    Disposable,
}

/// All NAL units of one picture, or one audio frame, with its exact time.
///
/// Cloning copies two reference counts, never payload.
#[derive(Clone)]
pub struct AccessUnit {
    /// The track it belongs to.
    pub track: TrackId,
    /// Decode time, in the track's timescale.
    pub dts: Dts,
    /// `pts - dts`, signed, in the track's timescale; zero for audio.
    pub composition_offset: Ticks,
    /// Whether decoding can start here.
    pub role: FrameRole,
    /// H.264/HEVC: length-prefixed NAL units (prefix size as the codec configuration says);
    /// AV1: OBUs of one temporal unit in low-overhead format; audio: one raw frame (AAC without
    /// ADTS). Shares its allocation with `flv_body` when both are there.
    pub payload: Bytes,
    /// The whole FLV tag body (= RTMP message payload) the unit arrived in, when it arrived in one
    /// by itself. Outputs in FLV framing send it untouched; without it they build one.
    pub flv_body: Option<Bytes>,
}

impl AccessUnit {
    /// A unit that depends on earlier ones, without composition offset.
    #[must_use]
    pub fn new(track: TrackId, dts: Dts, payload: Bytes) -> Self {
        Self {
            track,
            dts,
            composition_offset: Ticks(0),
            role: FrameRole::Inter,
            payload,
            flv_body: None,
        }
    }

    /// Sets `pts - dts` (ticks of the track's timescale).
    #[must_use]
    pub fn composition_offset(mut self, offset: Ticks) -> Self {
        self.composition_offset = offset;
        self
    }

    /// Marks the unit as one where decoding can start.
    #[must_use]
    pub fn random_access(mut self) -> Self {
        self.role = FrameRole::RandomAccess;
        self
    }

    /// Presentation time, in the track's timescale.
    #[must_use]
    pub fn pts(&self) -> Pts {
        self.dts.pts(self.composition_offset)
    }

    /// Whether decoding can start here.
    #[must_use]
    pub fn is_random_access(&self) -> bool {
        self.role == FrameRole::RandomAccess
    }

    /// Bytes this unit keeps in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.flv_body
            .as_ref()
            .map_or(self.payload.len(), Bytes::len)
    }
}

impl fmt::Debug for AccessUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.payload.get(..8).unwrap_or(&self.payload);
        write!(
            f,
            "AccessUnit({:?} dts {} cto {} {:?}, {} bytes {}...)",
            self.track,
            self.dts.0,
            self.composition_offset.0,
            self.role,
            self.payload.len(),
            head.escape_ascii()
        )
    }
}
