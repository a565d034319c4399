//! Access units and codec configurations to tag bodies: the inverse of [`super::Parser`].

use std::fmt;
use std::ops::Deref;

use bytes::{BufMut, Bytes, BytesMut};
use media::config::opus;
use media::{AccessUnit, Codec, CodecConfig, FrameRole, Rounding, Timescale, Track, TrackKind};

use super::wire::{self, frame_type, multitrack, packet};

/// Longest header: enhanced, multitrack of one, with a composition offset.
const MAX_HEADER: usize = 10;

/// The bytes of a tag body before its payload; at most 10, in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BodyHeader {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl BodyHeader {
    /// Nothing before the payload: the payload is a whole body.
    pub const EMPTY: Self = Self {
        bytes: [0; MAX_HEADER],
        len: 0,
    };

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(place) = self.bytes.get_mut(usize::from(self.len)) {
                *place = byte;
                self.len += 1;
            }
        }
    }
}

impl Deref for BodyHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for BodyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyHeader({:02x?})", &**self)
    }
}

/// The tag body of an access unit, as the header to write before the payload: the body it arrived
/// in, with an empty header, when it has one; else one is built. Copies nothing.
///
/// H.264, AAC and MP3 of the default tracks take the classic form that every client reads, other
/// codecs the enhanced form, tracks beyond the default ones the enhanced multitrack form.
/// Composition offsets are rounded to milliseconds and held within 24 bits.
#[must_use]
pub fn unit_body(track: &Track, unit: &AccessUnit) -> (BodyHeader, Bytes) {
    if let Some(body) = &unit.flv_body {
        return (BodyHeader::EMPTY, body.clone());
    }
    let header = match track.kind() {
        TrackKind::Video => video_header(track, unit),
        TrackKind::Audio => start_audio(track, packet::CODED_FRAMES),
    };
    (header, unit.payload.clone())
}

/// The tag body of a track's sequence header: the one that arrived, or one built of its codec
/// configuration. `None` when the codec has none (MP3, AC-3), or the track has no configuration.
#[must_use]
pub fn header_body(track: &Track) -> Option<Bytes> {
    if let Some(body) = &track.flv_body {
        return Some(body.clone());
    }
    let config = track.config.as_ref().ok()?;
    if matches!(
        config,
        CodecConfig::Mp3(_) | CodecConfig::Ac3(_) | CodecConfig::Eac3(_)
    ) {
        return None;
    }
    let header = match track.kind() {
        TrackKind::Video => {
            let mut header = start_video(track, frame_type::KEY, packet::SEQUENCE_START);
            if is_classic(track) {
                header.push(&[0, 0, 0]);
            }
            header
        }
        TrackKind::Audio => start_audio(track, packet::SEQUENCE_START),
    };
    let mut body = BytesMut::with_capacity(header.len() + config.raw().len() + 8);
    body.put_slice(&header);
    match config {
        // MP4 has another form of it.
        CodecConfig::Opus(opus) if !opus.raw.starts_with(OPUS_HEAD) => opus_head(opus, &mut body),
        _ => body.put_slice(config.raw()),
    }
    Some(body.freeze())
}

/// What an Opus identification header begins with (RFC 7845 §5.1).
const OPUS_HEAD: &[u8] = b"OpusHead";

/// Appends the identification header as Ogg has it, which FLV takes over.
fn opus_head(config: &opus::Config, out: &mut BytesMut) {
    out.put_slice(OPUS_HEAD);
    out.put_slice(&[1, config.params.channels]);
    out.put_u16_le(config.pre_skip);
    out.put_u32_le(config.input_sample_rate);
    out.put_i16_le(config.output_gain);
    out.put_u8(config.mapping_family);
    out.put_slice(&config.mapping);
}

/// Whether the track's bodies take the form of FLV 10.1.
fn is_classic(track: &Track) -> bool {
    match track.codec {
        Codec::H264 | Codec::Aac | Codec::Mp3 => wire::wire_track_id(track.id) == 0,
        Codec::FlvVideo(_) | Codec::FlvAudio(_) => true,
        _ => false,
    }
}

fn video_header(track: &Track, unit: &AccessUnit) -> BodyHeader {
    let frame = match unit.role {
        FrameRole::RandomAccess => frame_type::KEY,
        FrameRole::Inter => frame_type::INTER,
        FrameRole::Disposable => frame_type::DISPOSABLE,
    };
    let offset = composition_offset_ms(track.timescale, unit);
    let has_offset = wire::has_composition_offset(track.codec);
    let without = has_offset && offset == 0 && !is_classic(track);
    let kind = if without {
        packet::CODED_FRAMES_X
    } else {
        packet::CODED_FRAMES
    };
    let mut header = start_video(track, frame, kind);
    if has_offset && !without {
        let [_, a, b, c] = offset.to_be_bytes();
        header.push(&[a, b, c]);
    }
    header
}

/// Everything up to the composition offset.
fn start_video(track: &Track, frame: u8, kind: u8) -> BodyHeader {
    let mut header = BodyHeader::EMPTY;
    match track.codec {
        Codec::FlvVideo(id) => header.push(&[frame << 4 | id & 0x0f]),
        Codec::H264 if is_classic(track) => header.push(&[frame << 4 | wire::AVC, kind]),
        codec => {
            let cc = wire::video_four_cc(codec).unwrap_or(media::FourCc(*b"unkn"));
            let first = wire::EX_VIDEO | frame << 4;
            match wire::wire_track_id(track.id) {
                0 => {
                    header.push(&[first | kind]);
                    header.push(&cc.0);
                }
                id => {
                    header.push(&[
                        first | packet::VIDEO_MULTITRACK,
                        multitrack::ONE_TRACK << 4 | kind,
                    ]);
                    header.push(&cc.0);
                    header.push(&[id]);
                }
            }
        }
    }
    header
}

fn start_audio(track: &Track, kind: u8) -> BodyHeader {
    let mut header = BodyHeader::EMPTY;
    match track.codec {
        // Rate, size and channels are fixed for AAC (FLV 10.1 §E.4.2.1).
        Codec::Aac if is_classic(track) => header.push(&[wire::AAC << 4 | 0x0f, kind]),
        Codec::Mp3 if is_classic(track) => header.push(&[mp3_byte(track)]),
        // 44.1 kHz, 16 bits, mono: decoders of these formats know better.
        Codec::FlvAudio(format) => header.push(&[format << 4 | 0x0e]),
        codec => {
            let cc = wire::audio_four_cc(codec).unwrap_or(media::FourCc(*b"unkn"));
            let first = wire::EX_AUDIO << 4;
            match wire::wire_track_id(track.id) {
                0 => {
                    header.push(&[first | kind]);
                    header.push(&cc.0);
                }
                id => {
                    header.push(&[
                        first | packet::AUDIO_MULTITRACK,
                        multitrack::ONE_TRACK << 4 | kind,
                    ]);
                    header.push(&cc.0);
                    header.push(&[id]);
                }
            }
        }
    }
    header
}

/// The only header byte of MP3: format, rate, 16 bits, channels (FLV 10.1 §E.4.2.1). Rates it
/// cannot say are called 44.1 kHz, as ffmpeg does; decoders go by the frame's own header.
fn mp3_byte(track: &Track) -> u8 {
    let params = track.config.as_ref().ok().and_then(CodecConfig::audio);
    let (format, rate) = match params.map(|params| params.sample_rate) {
        Some(8_000) => (wire::MP3_8_KHZ, 0),
        Some(11_025) => (wire::MP3, 1),
        Some(22_050) => (wire::MP3, 2),
        _ => (wire::MP3, 3),
    };
    let stereo = params.is_none_or(|params| params.channels > 1);
    format << 4 | rate << 2 | 0x02 | u8::from(stereo)
}

/// `pts - dts` in milliseconds. Both times are converted, not the difference, so that the
/// rounding does not add up.
fn composition_offset_ms(timescale: Timescale, unit: &AccessUnit) -> i32 {
    let ms = |ticks| timescale.convert(ticks, Timescale::MILLIS, Rounding::Floor);
    let offset = ms(unit.pts().0).saturating_sub(ms(unit.dts.0));
    let (min, max) = (-(1 << 23), (1 << 23) - 1);
    i32::try_from(offset.clamp(min, max)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
