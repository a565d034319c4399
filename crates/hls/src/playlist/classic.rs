//! A media playlist as a server of files can offer it, and what it names.
//!
//! Nobody waits in a bucket or behind a plain file server, so what promises that is left out: parts, hints, reports, and the
//! tags of a segment that is only being made. All other tags stay as they are.

use std::time::Duration;

use crate::container::Container;
use crate::presentation::{Presentation, Text};

use super::{rendered, version};

/// Tags of low latency (RFC 8216bis §4.4.3.7, §4.4.3.8, §4.4.4.9, §4.4.5.2 to §4.4.5.4).
const LOW_LATENCY: [&str; 6] = [
    "#EXT-X-SERVER-CONTROL:",
    "#EXT-X-PART-INF:",
    "#EXT-X-PART:",
    "#EXT-X-PRELOAD-HINT:",
    "#EXT-X-RENDITION-REPORT:",
    "#EXT-X-SKIP:",
];

/// A media playlist without low latency.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Classic {
    /// The playlist.
    pub text: Text,
    /// The multivariant playlist that names it and its I-frame playlist. Sounds and pictures alone are not in it: their
    /// segments are other files than those of `names`.
    pub multivariant: Text,
    /// The I-frame playlist, which names the same files; where there are pictures.
    pub iframes: Option<Text>,
    /// The files that it names, each once, in its order: what a server of files must have before the playlist.
    pub names: Vec<Named>,
    /// The run that made its segments: sequence numbers compare within one.
    pub run: u64,
    /// `EXT-X-MEDIA-SEQUENCE`: the number of its first segment.
    pub media_sequence: u64,
    /// The sum of its segments' durations.
    pub duration: Duration,
}

/// A file that a playlist names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// Its name, as the playlist has it: below `/{app}/{stream}/`.
    pub name: String,
    /// How long the segment is; zero for an init segment.
    pub duration: Duration,
}

impl Presentation {
    /// The media playlist of this container for who cannot wait for parts, once there is something to play.
    #[must_use]
    pub fn classic(&self, container: Container) -> Option<Classic> {
        let ready = self.ready(container.into())?;
        let multivariant = super::multivariant(&ready.says.as_ref()?.of_files());
        let text = &ready.media;
        let lines = std::str::from_utf8(&text.body).ok()?;
        let text = match self.is_low_latency(container) {
            true => rendered(without_parts(lines, container).into_bytes()),
            false => text.clone(),
        };
        let lines = std::str::from_utf8(&text.body).ok()?;
        let names = named(lines);
        let sequence = |line: &str| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok();
        let media_sequence = lines.lines().find_map(sequence).unwrap_or(0);
        let duration = names.iter().map(|named| named.duration).sum();
        Some(Classic {
            text,
            multivariant,
            iframes: ready.iframes.clone(),
            names,
            run: self.epoch,
            media_sequence,
            duration,
        })
    }
}

fn without_parts(text: &str, container: Container) -> String {
    let mut out = String::with_capacity(text.len());
    // Tags wait here for their segment: those of the open one are never written.
    let mut pending = String::new();
    for line in text.lines() {
        if LOW_LATENCY.iter().any(|tag| line.starts_with(tag)) {
            continue;
        }
        match line.strip_prefix("#EXT-X-VERSION:") {
            Some(_) => pending.push_str(&format!("#EXT-X-VERSION:{}", version(container))),
            None => pending.push_str(line),
        }
        pending.push('\n');
        if !line.starts_with('#') {
            out.push_str(&std::mem::take(&mut pending));
        }
    }
    if text.lines().next_back() == Some("#EXT-X-ENDLIST") {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

fn named(text: &str) -> Vec<Named> {
    let mut names: Vec<Named> = Vec::new();
    let mut duration = Duration::ZERO;
    for line in text.lines() {
        let (name, duration) = if let Some(map) = line.strip_prefix("#EXT-X-MAP:") {
            let uri = map
                .split_once("URI=\"")
                .and_then(|(_, uri)| uri.split('"').next());
            (uri, Duration::ZERO)
        } else if let Some(info) = line.strip_prefix("#EXTINF:") {
            let seconds = info
                .split(',')
                .next()
                .and_then(|seconds| seconds.parse().ok());
            duration = seconds
                .and_then(|s| Duration::try_from_secs_f64(s).ok())
                .unwrap_or_default();
            continue;
        } else if line.is_empty() || line.starts_with('#') {
            continue;
        } else {
            (Some(line), std::mem::take(&mut duration))
        };
        if let Some(name) = name.filter(|name| names.iter().all(|n| n.name != *name)) {
            let name = name.to_owned();
            names.push(Named { name, duration });
        }
    }
    names
}
