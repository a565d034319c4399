//! Script data: `onMetaData` for publishers that sent none, and the names of data messages.

use amf0::Value;
use bytes::{Bytes, BytesMut};
use media::{Codec, DataMessage, Dts, TrackList};

use super::{Error, wire};

/// Longest name of a data message that is kept, in bytes.
const MAX_NAME: usize = 255;

/// Reads the name of a script tag's body (the payload of an RTMP data message, type 18). The rest
/// is kept as it is, unread. `@setDataFrame` in front, an RTMP command to the server, is taken off.
///
/// `dts` is the message's placed time in milliseconds. Copies nothing but the name.
///
/// # Errors
/// [`Error::Script`] when there is no name, [`Error::NoName`] when it is no text or longer than 255
/// bytes.
pub fn data_message(dts: Dts, body: &Bytes) -> Result<DataMessage, Error> {
    let limits = amf0::Limits::default();
    let (mut name, end) = amf0::decode(body, &limits)?;
    let mut start = 0;
    if name.as_str() == Some("@setDataFrame") {
        start = end;
        let rest = body.get(start..).unwrap_or_default();
        (name, _) = amf0::decode(rest, &limits)?;
    }
    let Some(text) = name.as_str().filter(|text| text.len() <= MAX_NAME) else {
        return Err(Error::NoName {
            offset: start as u64,
        });
    };
    Ok(DataMessage {
        name: text.into(),
        dts,
        amf0: body.slice(start..),
    })
}

/// An `onMetaData` message as AMF0 that describes the default tracks, for publishers that sent
/// none: size, frame rate, sample rate, channels, codecs as far as they are known.
///
/// FourCC codecs are written as numbers (E-RTMP v2 §"Metadata").
#[must_use]
pub fn metadata(tracks: &TrackList) -> Bytes {
    let mut properties = Vec::new();
    let mut add = |name: &str, value: Value| properties.push((name.to_owned(), value));
    if let Some(track) = tracks.video() {
        if let Some(params) = track.config.as_ref().ok().and_then(|config| config.video()) {
            if params.width > 0 {
                add("width", params.width.into());
                add("height", params.height.into());
            }
            if let Some((num, den)) = params.frame_rate.filter(|&(_, den)| den > 0) {
                add("framerate", (f64::from(num) / f64::from(den)).into());
            }
        }
        add("videocodecid", codec_number(track.codec).into());
    }
    if let Some(track) = tracks.audio() {
        if let Some(params) = track.config.as_ref().ok().and_then(|config| config.audio()) {
            add("audiosamplerate", params.sample_rate.into());
            add("audiosamplesize", 16_u32.into());
            add("audiochannels", u32::from(params.channels).into());
            add("stereo", (params.channels > 1).into());
        }
        add("audiocodecid", codec_number(track.codec).into());
    }
    let values = [Value::from("onMetaData"), Value::EcmaArray(properties)];
    let mut out = BytesMut::new();
    amf0::encode_all(&values, &mut out);
    out.freeze()
}

/// The legacy id, or the FourCC as a big-endian number.
fn codec_number(codec: Codec) -> u32 {
    match codec {
        Codec::H264 => wire::AVC.into(),
        Codec::Aac => wire::AAC.into(),
        Codec::Mp3 => wire::MP3.into(),
        Codec::FlvVideo(id) | Codec::FlvAudio(id) => id.into(),
        codec => wire::video_four_cc(codec)
            .or_else(|| wire::audio_four_cc(codec))
            .map_or(0, |cc| u32::from_be_bytes(cc.0)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NAME: &[u8] = b"\x02\x00\x0aonMetaData";

    #[test]
    fn message_keeps_its_bytes_and_loses_the_command_in_front() {
        let rest = b"\x03\x00\x00\x09";
        let plain: Bytes = [NAME, rest].concat().into();
        let message = data_message(Dts(7), &plain).unwrap();
        assert_eq!(
            (&*message.name, message.dts, &message.amf0),
            ("onMetaData", Dts(7), &plain)
        );
        let set = [b"\x02\x00\x0d@setDataFrame", NAME, rest].concat().into();
        assert_eq!(data_message(Dts(7), &set), Ok(message));
    }

    #[test]
    fn message_without_a_name_is_an_error() {
        let number = Bytes::from_static(b"\x00\x3f\xf0\x00\x00\x00\x00\x00\x00");
        assert!(data_message(Dts(0), &number).is_err());
        assert!(data_message(Dts(0), &Bytes::new()).is_err());
        assert!(data_message(Dts(0), &Bytes::from_static(b"\x02\x00\x0d@setDataFrame")).is_err());
        let long: Bytes = [&b"\x02\x01\x00"[..], &[b'x'; 256]].concat().into();
        let error = data_message(Dts(0), &long).unwrap_err().to_string();
        assert_eq!(
            error,
            "script data without a name of at most 255 bytes at byte 0"
        );
    }
}
