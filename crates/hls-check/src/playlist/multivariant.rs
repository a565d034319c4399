//! Multivariant playlists (RFC 8216 §4.3.4).

use std::sync::Arc;

use url::Url;

use super::{Attributes, Problems, resolve};
use crate::rule;

/// Variants and renditions that are read. Threat: each becomes a playlist that is watched.
const MAX_PLAYLISTS: usize = 64;

/// What a stream's playlist names.
#[derive(Debug, Default)]
pub(crate) struct Multivariant {
    pub(crate) variants: Vec<Arc<Variant>>,
    pub(crate) renditions: Vec<Rendition>,
    pub(crate) problems: Problems,
}

/// `EXT-X-STREAM-INF`, or `EXT-X-I-FRAME-STREAM-INF`.
#[derive(Debug, PartialEq)]
pub(crate) struct Variant {
    /// Of the tag.
    pub(crate) line: usize,
    pub(crate) url: Arc<Url>,
    pub(crate) bandwidth: Option<u64>,
    pub(crate) average: Option<u64>,
    pub(crate) codecs: Option<Vec<String>>,
    /// Width and height.
    pub(crate) resolution: Option<(u32, u32)>,
    pub(crate) frame_rate: Option<f64>,
    /// Its sound is in another playlist, or may be.
    pub(crate) audio: Option<String>,
    pub(crate) is_i_frames: bool,
    /// It is one of the sounds of the variants that it is told of.
    pub(crate) is_sound: bool,
}

/// `EXT-X-MEDIA`.
#[derive(Debug)]
pub(crate) struct Rendition {
    /// Of the tag.
    pub(crate) line: usize,
    /// None where it is in the variants' own media.
    pub(crate) url: Option<Arc<Url>>,
    pub(crate) kind: Box<str>,
    pub(crate) group: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) is_default: bool,
}

impl Rendition {
    /// Audio or video, whose segments are read.
    pub(crate) fn is_media(&self) -> bool {
        matches!(&*self.kind, "AUDIO" | "VIDEO")
    }
}

pub(super) fn parse<'a>(lines: impl Iterator<Item = (usize, &'a str)>, base: &Url) -> Multivariant {
    let mut found = Multivariant::default();
    let mut pending: Option<(usize, &str)> = None;
    for (line, text) in lines {
        let text = text.trim_end();
        if let Some(list) = text.strip_prefix("#EXT-X-STREAM-INF:") {
            if pending.is_some() {
                found.problems.tell(
                    &rule::LINE_MALFORMED,
                    line,
                    "EXT-X-STREAM-INF, and the one before has no URI",
                );
            }
            pending = Some((line, list));
        } else if let Some(list) = text.strip_prefix("#EXT-X-I-FRAME-STREAM-INF:") {
            match Attributes(list).get("URI") {
                Some(uri) => found.variant(line, list, uri, true, base),
                None => found.problems.tell(
                    &rule::LINE_MALFORMED,
                    line,
                    "EXT-X-I-FRAME-STREAM-INF has no URI",
                ),
            }
        } else if let Some(list) = text.strip_prefix("#EXT-X-MEDIA:") {
            found.rendition(line, Attributes(list), base);
        } else if !text.is_empty() && !text.starts_with('#') {
            match pending.take() {
                Some((line, list)) => found.variant(line, list, text, false, base),
                None => found.problems.tell(
                    &rule::LINE_MALFORMED,
                    line,
                    "a URI without EXT-X-STREAM-INF",
                ),
            }
        }
    }
    found
}

impl Multivariant {
    fn variant(&mut self, line: usize, list: &str, uri: &str, is_i_frames: bool, base: &Url) {
        if self.variants.len() >= MAX_PLAYLISTS {
            return;
        }
        let list = Attributes(list);
        let url = match resolve(base, uri) {
            Ok(url) => url,
            Err(what) => return self.problems.tell(&rule::LINE_MALFORMED, line, what),
        };
        let number = |name| list.get(name).and_then(|value| value.parse().ok());
        let resolution = list.get("RESOLUTION").and_then(|value| {
            let (width, height) = value.split_once('x')?;
            Some((width.parse().ok()?, height.parse().ok()?))
        });
        let split = |value: &str| {
            value
                .split(',')
                .map(|codec| codec.trim().to_owned())
                .collect()
        };
        self.variants.push(Arc::new(Variant {
            line,
            url,
            bandwidth: number("BANDWIDTH"),
            average: number("AVERAGE-BANDWIDTH"),
            codecs: list.get("CODECS").map(split),
            resolution,
            frame_rate: list.get("FRAME-RATE").and_then(|value| value.parse().ok()),
            audio: list.get("AUDIO").map(str::to_owned),
            is_i_frames,
            is_sound: false,
        }));
    }

    fn rendition(&mut self, line: usize, list: Attributes<'_>, base: &Url) {
        let (Some(kind), Some(group), Some(name)) =
            (list.get("TYPE"), list.get("GROUP-ID"), list.get("NAME"))
        else {
            let what = "EXT-X-MEDIA lacks TYPE, GROUP-ID or NAME";
            return self.problems.tell(&rule::LINE_MALFORMED, line, what);
        };
        if self.renditions.len() >= MAX_PLAYLISTS {
            return;
        }
        let is_default = list.get("DEFAULT") == Some("YES");
        if is_default && list.get("AUTOSELECT") == Some("NO") {
            let what = "EXT-X-MEDIA has DEFAULT=YES and AUTOSELECT=NO";
            self.problems.tell(&rule::LINE_MALFORMED, line, what);
        }
        let url = match list.get("URI").map(|uri| resolve(base, uri)).transpose() {
            Ok(url) => url,
            Err(what) => return self.problems.tell(&rule::LINE_MALFORMED, line, what),
        };
        self.renditions.push(Rendition {
            line,
            url,
            kind: kind.into(),
            group: group.into(),
            name: name.into(),
            is_default,
        });
    }

    /// The members of a variant's group of sounds.
    pub(crate) fn sounds(&self, group: &str) -> impl Iterator<Item = &Rendition> {
        let sounds = self.renditions.iter().filter(|r| &*r.kind == "AUDIO");
        sounds.filter(move |rendition| &*rendition.group == group)
    }

    /// What is said of a rendition's media: by the variants that it belongs to. Its own bit rate is part of theirs.
    pub(crate) fn said_of(&self, rendition: &Rendition, url: &Arc<Url>) -> Option<Arc<Variant>> {
        let mut variants = self.variants.iter().filter(|variant| !variant.is_i_frames);
        let variant =
            variants.find(|variant| variant.audio.as_deref() == Some(&*rendition.group))?;
        (&*rendition.kind == "AUDIO").then(|| {
            Arc::new(Variant {
                line: rendition.line,
                url: Arc::clone(url),
                bandwidth: None,
                average: None,
                codecs: variant.codecs.clone(),
                resolution: None,
                frame_rate: None,
                audio: variant.audio.clone(),
                is_i_frames: false,
                is_sound: true,
            })
        })
    }
}
