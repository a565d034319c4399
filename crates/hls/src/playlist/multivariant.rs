//! Multivariant playlists: what a container offers.
//!
//! ```text
//! #EXT-X-STREAM-INF:…                  the stream; then its sound alone, for who has little bandwidth
//! #EXT-X-I-FRAME-STREAM-INF:…          its key frames, for who seeks
//! ```

use m3u8_rs::{MasterPlaylist, Resolution, VariantStream};

use crate::bandwidth::Declared;
use crate::container::Container;
use crate::presentation::Text;

use super::{FrameRate, rendered, version};

/// What a multivariant playlist says.
#[derive(Clone, Debug)]
pub(crate) struct Multivariant {
    pub(crate) container: Container,
    pub(crate) independent: bool,
    /// The whole first.
    pub(crate) variants: Vec<Variant>,
}

impl Multivariant {
    /// The same without sound alone.
    pub(crate) fn without_sound_alone(&self) -> Self {
        let mut variants = self.variants.iter();
        let whole = variants.next();
        let iframes = variants.filter(|variant| variant.kind == VariantKind::IFrames);
        Self {
            variants: whole.into_iter().chain(iframes).cloned().collect(),
            ..*self
        }
    }
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
    pub(crate) kind: VariantKind,
}

/// What a variant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariantKind {
    /// All of it.
    Whole,
    /// Single pictures.
    IFrames,
}

/// The playlist of a ladder of streams below the folder of its own name: of each rung the whole and
/// its key frames, and the last one's sound alone.
pub(crate) fn ladder(container: Container, folder: &str, rungs: &[&Multivariant]) -> Text {
    let below = |variant: &Variant| Variant {
        uri: uri(folder, &variant.uri),
        ..variant.clone()
    };
    let wholes = rungs.iter().filter_map(|rung| rung.variants.first());
    let wholes = wholes.map(below);
    let is_sound =
        |variant: &&Variant| variant.kind == VariantKind::Whole && variant.resolution.is_none();
    let last = rungs
        .last()
        .map(|rung| &rung.variants[..])
        .unwrap_or_default();
    let sound = last.iter().skip(1).filter(is_sound).map(below);
    let all = rungs.iter().flat_map(|rung| &rung.variants);
    let iframes = all.filter(|variant| variant.kind == VariantKind::IFrames);
    let variants = wholes.chain(sound).chain(iframes.map(below)).collect();
    write(
        container,
        rungs.iter().all(|rung| rung.independent),
        variants,
    )
}

/// The URI of a playlist in a folder named like a stream, as it is, not yet encoded.
pub(crate) fn uri(folder: &str, playlist: &str) -> String {
    format!("{}/{playlist}", percent_encoded(folder))
}

pub(crate) fn multivariant(says: &Multivariant) -> Text {
    let variants = says.variants.clone();
    write(says.container, says.independent, variants)
}

fn write(container: Container, independent: bool, variants: Vec<Variant>) -> Text {
    let variants = variants.into_iter().map(|variant| VariantStream {
        is_i_frame: variant.kind == VariantKind::IFrames,
        uri: variant.uri,
        bandwidth: variant.bandwidth.peak,
        average_bandwidth: Some(variant.bandwidth.average),
        codecs: (!variant.codecs.is_empty()).then(|| variant.codecs.join(",")),
        resolution: variant.resolution.map(|(width, height)| Resolution {
            width: width.into(),
            height: height.into(),
        }),
        frame_rate: variant
            .frame_rate
            .filter(|_| variant.kind != VariantKind::IFrames)
            .map(|rate| frames_per_second(rate.milli())),
        ..VariantStream::default()
    });
    let playlist = MasterPlaylist {
        version: Some(version(container)),
        independent_segments: independent,
        variants: variants.collect(),
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
