//! Tracks that a container cannot carry.

use media::{Codec, CodecConfig, Track, TrackId, TrackKind, Unconfigured};

/// A track that an output leaves out, and why; said once to the operator, the rest is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which track.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Why, and what to do: the end of a sentence that names the output and the track, as in
    /// `HLS leaves out audio track 1 (Speex): {reason}`.
    pub reason: String,
}

/// The configuration of `track`, or the reason why no container but RTMP and FLV has it.
pub(crate) fn configuration(track: &Track) -> Result<&CodecConfig, String> {
    track.config.as_ref().map_err(|why| match why {
        Unconfigured::RelayOnly(_) => {
            let instead = match track.kind() {
                TrackKind::Video => "H.264, HEVC or AV1",
                TrackKind::Audio => "AAC, MP3 or Opus",
            };
            format!("no HLS container carries it; send {instead}; RTMP and FLV still have it")
        }
        why => format!("{why}; RTMP and FLV still have it"),
    })
}
