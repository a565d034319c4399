//! What peers tell each other about Enhanced RTMP in `connect` and its answer (E-RTMP v2, "Enhancing
//! NetConnection connect Command").

use amf0::Value;

/// Capability bits of one codec in `videoFourCcInfoMap` and `audioFourCcInfoMap`.
pub mod four_cc {
    /// Can decode the codec.
    pub const CAN_DECODE: u32 = 0x01;
    /// Can encode the codec.
    pub const CAN_ENCODE: u32 = 0x02;
    /// Can pass the codec on unchanged; what a relay does.
    pub const CAN_FORWARD: u32 = 0x04;
}

/// Bits of `capsEx`.
pub mod caps_ex {
    /// Understands reconnect requests.
    pub const RECONNECT: u32 = 0x01;
    /// Understands multitrack audio and video.
    pub const MULTITRACK: u32 = 0x02;
    /// Can parse the ModEx prelude.
    pub const MOD_EX: u32 = 0x04;
    /// Understands nanosecond offsets in ModEx.
    pub const TIMESTAMP_NANO_OFFSET: u32 = 0x08;
}

/// One entry of a FourCC info map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FourCcCapability {
    /// The FourCC, or `*` for all codecs.
    pub four_cc: String,
    /// Bits of [`four_cc`](mod@four_cc).
    pub bits: u32,
}

/// What a peer announces about Enhanced RTMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// `fourCcList` (E-RTMP v1): codecs, or `*` for all.
    pub four_cc_list: Vec<String>,
    /// `videoFourCcInfoMap` (v2).
    pub video: Vec<FourCcCapability>,
    /// `audioFourCcInfoMap` (v2).
    pub audio: Vec<FourCcCapability>,
    /// `capsEx` (v2): bits of [`caps_ex`](mod@caps_ex).
    pub caps_ex: u32,
}

impl Default for Capabilities {
    /// What this relay forwards: HEVC, AV1, VP9, H.264; AAC, Opus, FLAC, AC-3, E-AC-3, MP3;
    /// multitrack and ModEx.
    fn default() -> Self {
        let video = ["hvc1", "av01", "vp09", "avc1"];
        let audio = ["mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3"];
        let forward = |four_cc: &&str| FourCcCapability {
            four_cc: (*four_cc).to_owned(),
            bits: four_cc::CAN_FORWARD,
        };
        Self {
            four_cc_list: video
                .iter()
                .chain(&audio)
                .map(|four_cc| (*four_cc).to_owned())
                .collect(),
            video: video.iter().map(forward).collect(),
            audio: audio.iter().map(forward).collect(),
            caps_ex: caps_ex::MULTITRACK | caps_ex::MOD_EX,
        }
    }
}

impl Capabilities {
    /// What a command object or information object announces; `None` when it says nothing about
    /// Enhanced RTMP.
    pub(crate) fn from_properties(object: &Value) -> Option<Self> {
        let list = object.get("fourCcList");
        let video = object.get("videoFourCcInfoMap");
        let audio = object.get("audioFourCcInfoMap");
        let bits = object.get("capsEx");
        if list.is_none() && video.is_none() && audio.is_none() && bits.is_none() {
            return None;
        }
        Some(Self {
            four_cc_list: list.map(names).unwrap_or_default(),
            video: video.map(info_map).unwrap_or_default(),
            audio: audio.map(info_map).unwrap_or_default(),
            caps_ex: bits.and_then(Value::as_u32).unwrap_or(0),
        })
    }

    /// The properties that announce this.
    pub(crate) fn to_properties(&self) -> Vec<(String, Value)> {
        let map = |entries: &[FourCcCapability]| {
            Value::object(
                entries
                    .iter()
                    .map(|entry| (entry.four_cc.clone(), Value::from(entry.bits))),
            )
        };
        let list = self
            .four_cc_list
            .iter()
            .map(|four_cc| Value::from(four_cc.as_str()))
            .collect();
        vec![
            ("fourCcList".to_owned(), Value::StrictArray(list)),
            ("videoFourCcInfoMap".to_owned(), map(&self.video)),
            ("audioFourCcInfoMap".to_owned(), map(&self.audio)),
            ("capsEx".to_owned(), Value::from(self.caps_ex)),
        ]
    }
}

/// A strict array of strings; some clients send an ECMA array with numeric keys.
fn names(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (value.items(), value.properties()) {
        (Some(items), _) => items.iter().filter_map(text).collect(),
        (_, Some(properties)) => properties
            .iter()
            .filter_map(|(_, value)| text(value))
            .collect(),
        _ => Vec::new(),
    }
}

fn info_map(value: &Value) -> Vec<FourCcCapability> {
    let entry = |(name, bits): &(String, Value)| {
        Some(FourCcCapability {
            four_cc: name.clone(),
            bits: bits.as_u32()?,
        })
    };
    value
        .properties()
        .unwrap_or_default()
        .iter()
        .filter_map(entry)
        .collect()
}
