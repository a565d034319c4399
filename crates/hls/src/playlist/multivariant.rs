//! Multivariant playlists: what a container offers.
//!
//! ```text
//! #EXT-X-MEDIA:TYPE=AUDIO,…            where there are sounds to choose from: each of them
//! #EXT-X-STREAM-INF:…                  the stream; then its sound alone, for who has little bandwidth
//! #EXT-X-I-FRAME-STREAM-INF:…          its key frames, for who seeks
//! ```
//!
//! Where there are sounds to choose from, the stream is its picture alone, and each sound is a
//! playlist of its own (RFC 8216 §4.3.4.2.1). A default sound that came with the picture (§4.3.4.1,
//! `EXT-X-MEDIA` without URI) would be cheaper; players that feed fMP4 to the browser as it is
//! (hls.js, Shaka Player) cannot leave it out when another one is chosen.

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, MasterPlaylist, QuotedOrUnquoted, Resolution,
    VariantStream,
};

use crate::bandwidth::Declared;
use crate::container::Container;
use crate::presentation::Text;

use super::{FrameRate, rendered, version};

/// The group that a stream's sounds are.
const SOUNDS: &str = "sound";

/// What a stream has to offer in a container.
#[derive(Clone, Debug)]
pub(crate) struct Multivariant {
    pub(crate) container: Container,
    pub(crate) independent: bool,
    /// Picture and default sound together.
    pub(crate) whole: Variant,
    /// The default sound alone.
    pub(crate) sound: Option<Variant>,
    /// Key frames alone.
    pub(crate) iframes: Option<Variant>,
    /// Where there are sounds to choose from.
    pub(crate) choice: Option<Choice>,
}

/// What is offered in place of the whole, so that a sound can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The picture alone; none where there is none.
    pub(crate) picture: Option<Variant>,
    /// The default one first; at least one.
    pub(crate) sounds: Vec<Sound>,
}

/// A sound that can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    pub(crate) uri: String,
    pub(crate) bandwidth: Declared,
    pub(crate) codecs: Vec<String>,
    pub(crate) label: Label,
}

/// What tells a viewer one sound from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) language: Option<Box<str>>,
    pub(crate) channels: Option<u8>,
}

/// One variant.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// As [`uri`] makes it.
    pub(crate) uri: String,
    pub(crate) bandwidth: Declared,
    pub(crate) codecs: Vec<String>,
    /// Width and height in pixels.
    pub(crate) resolution: Option<(u32, u32)>,
    pub(crate) frame_rate: Option<FrameRate>,
}

impl Multivariant {
    /// The same for a server of files, which has neither sound alone nor picture alone.
    pub(crate) fn of_files(&self) -> Self {
        Self {
            sound: None,
            choice: None,
            ..self.clone()
        }
    }

    fn below(&self, folder: &str) -> Self {
        let variant = |variant: &Variant| Variant {
            uri: uri(folder, &variant.uri),
            ..variant.clone()
        };
        let sound = |sound: &Sound| Sound {
            uri: uri(folder, &sound.uri),
            ..sound.clone()
        };
        let choice = self.choice.as_ref().map(|choice| Choice {
            picture: choice.picture.as_ref().map(variant),
            sounds: choice.sounds.iter().map(sound).collect(),
        });
        Self {
            whole: variant(&self.whole),
            sound: self.sound.as_ref().map(variant),
            iframes: self.iframes.as_ref().map(variant),
            choice,
            ..*self
        }
    }
}

impl Choice {
    /// What tells its sounds apart.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let sounds = self.sounds.iter();
        sounds.map(|sound| sound.label.clone()).collect()
    }
}

/// The playlist of a ladder of streams below the folder of its own name: of each rung the whole and
/// its key frames, and the last one's sound alone. Where all have the same sounds to choose from,
/// the last one's are everybody's, and none is a variant.
pub(crate) fn ladder(container: Container, folder: &str, rungs: &[&Multivariant]) -> Text {
    let rungs: Vec<_> = rungs.iter().map(|rung| rung.below(folder)).collect();
    let sounds = shared_sounds(&rungs);
    let mut lines = Vec::new();
    for rung in &rungs {
        let picture = rung.choice.as_ref().and_then(|c| c.picture.as_ref());
        lines.push(match picture.filter(|_| !sounds.is_empty()) {
            Some(picture) => heard_with(picture, sounds),
            None => plain(&rung.whole),
        });
    }
    let sound = rungs.last().and_then(|last| last.sound.as_ref());
    lines.extend(sound.filter(|_| sounds.is_empty()).map(plain));
    let iframes = rungs.iter().filter_map(|rung| rung.iframes.as_ref());
    lines.extend(iframes.map(key_frames));
    let independent = rungs.iter().all(|rung| rung.independent);
    write(container, independent, sounds, lines)
}

/// The last rung's sounds, where all rungs have pictures and the same ones.
fn shared_sounds(rungs: &[Multivariant]) -> &[Sound] {
    let Some(last) = rungs.last().and_then(|last| last.choice.as_ref()) else {
        return &[];
    };
    let agree = rungs.iter().all(|rung| {
        let choice = rung.choice.as_ref();
        choice.is_some_and(|choice| choice.picture.is_some() && choice.labels() == last.labels())
    });
    if agree { &last.sounds } else { &[] }
}

/// The URI of a playlist in a folder named like a stream, as it is, not yet encoded.
pub(crate) fn uri(folder: &str, playlist: &str) -> String {
    format!("{}/{playlist}", percent_encoded(folder))
}

pub(crate) fn multivariant(says: &Multivariant) -> Text {
    let sounds = says.choice.as_ref().map_or(&[][..], |c| &c.sounds);
    let picture = says.choice.as_ref().and_then(|c| c.picture.as_ref());
    let mut lines = Vec::new();
    lines.push(match (picture, sounds) {
        (Some(picture), _) => heard_with(picture, sounds),
        (None, []) => plain(&says.whole),
        // Of sound alone the variant is the default one's playlist.
        (None, [default, ..]) => {
            let variant = Variant {
                uri: default.uri.clone(),
                ..says.whole.clone()
            };
            with_any(&variant, sounds)
        }
    });
    // VLC 3 would play another sound than the default one, were that a variant as well.
    let sound = says.sound.as_ref().filter(|_| sounds.is_empty());
    lines.extend(sound.map(plain));
    lines.extend(says.iframes.as_ref().map(key_frames));
    write(says.container, says.independent, sounds, lines)
}

/// A variant by itself.
fn plain(variant: &Variant) -> VariantStream {
    VariantStream {
        uri: variant.uri.clone(),
        bandwidth: variant.bandwidth.peak,
        average_bandwidth: Some(variant.bandwidth.average),
        codecs: (!variant.codecs.is_empty()).then(|| variant.codecs.join(",")),
        resolution: variant.resolution.map(|(width, height)| Resolution {
            width: width.into(),
            height: height.into(),
        }),
        frame_rate: variant
            .frame_rate
            .map(|rate| frames_per_second(rate.milli())),
        ..VariantStream::default()
    }
}

fn key_frames(variant: &Variant) -> VariantStream {
    VariantStream {
        is_i_frame: true,
        frame_rate: None,
        ..plain(variant)
    }
}

/// A picture with the sound that costs most (§4.3.4.2: the largest sum of any combination).
fn heard_with(picture: &Variant, sounds: &[Sound]) -> VariantStream {
    let most = most(sounds);
    let variant = Variant {
        bandwidth: Declared {
            peak: picture.bandwidth.peak.saturating_add(most.peak),
            average: picture.bandwidth.average.saturating_add(most.average),
        },
        ..picture.clone()
    };
    in_group(variant, sounds)
}

/// A sound by itself, or any other of the group in its place.
fn with_any(sound: &Variant, sounds: &[Sound]) -> VariantStream {
    let most = most(sounds);
    let variant = Variant {
        bandwidth: Declared {
            peak: sound.bandwidth.peak.max(most.peak),
            average: sound.bandwidth.average.max(most.average),
        },
        ..sound.clone()
    };
    in_group(variant, sounds)
}

/// A variant whose sound is the group's: it may need any of their codecs.
fn in_group(mut variant: Variant, sounds: &[Sound]) -> VariantStream {
    for codec in sounds.iter().flat_map(|sound| &sound.codecs) {
        if !variant.codecs.contains(codec) {
            variant.codecs.push(codec.clone());
        }
    }
    VariantStream {
        audio: Some(SOUNDS.to_owned()),
        ..plain(&variant)
    }
}

fn most(sounds: &[Sound]) -> Declared {
    let all = || sounds.iter().map(|sound| sound.bandwidth);
    Declared {
        peak: all().map(|one| one.peak).max().unwrap_or(0),
        average: all().map(|one| one.average).max().unwrap_or(0),
    }
}

/// `EXT-X-MEDIA`. A player may choose by itself what is the default, or in another language than all
/// before it (§4.3.4.1.1).
fn media(index: usize, sounds: &[Sound]) -> Option<AlternativeMedia> {
    let sound = sounds.get(index)?;
    let before = sounds.get(..index)?;
    let Label {
        name,
        language,
        channels,
    } = &sound.label;
    let is_new = language.is_some() && before.iter().all(|b| b.label.language != *language);
    Some(AlternativeMedia {
        media_type: AlternativeMediaType::Audio,
        uri: Some(sound.uri.clone()),
        group_id: SOUNDS.to_owned(),
        language: language.as_deref().map(str::to_owned),
        assoc_language: None,
        name: name.clone(),
        default: index == 0,
        autoselect: index == 0 || is_new,
        forced: false,
        instream_id: None,
        characteristics: None,
        channels: channels.map(|count| count.to_string()),
        // VLC 3 plays a sound that does not say so in place of the default one.
        other_attributes: (index != 0).then(|| {
            let no = QuotedOrUnquoted::Unquoted("NO".to_owned());
            [("DEFAULT".to_owned(), no)].into()
        }),
    })
}

fn write(
    container: Container,
    independent: bool,
    sounds: &[Sound],
    variants: Vec<VariantStream>,
) -> Text {
    // Groups came with version 4 (§7).
    let version = version(container).max(if sounds.is_empty() { 0 } else { 4 });
    let playlist = MasterPlaylist {
        version: Some(version),
        independent_segments: independent,
        alternatives: (0..sounds.len())
            .filter_map(|index| media(index, sounds))
            .collect(),
        variants,
        ..MasterPlaylist::default()
    };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = playlist.write_to(&mut text);
    rendered(text)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "frame rates have few digits; three decimals are printed"
)]
pub(super) fn frames_per_second(milli: u64) -> f64 {
    milli as f64 / 1_000.0
}

/// A path segment with everything but RFC 3986 unreserved characters encoded.
pub(super) fn percent_encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
