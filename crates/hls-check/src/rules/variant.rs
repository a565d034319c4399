//! What a multivariant playlist says of its variants, and whether it is true (H8, H12).

use super::{Scribe, seconds};
use crate::playlist::{Micros, Multivariant, Variant};
use crate::rule;
use crate::segment::Facts;

/// Units from which a frame rate is taken.
const ENOUGH_UNITS: u32 = 20;

/// The multivariant playlist by itself.
pub(crate) fn text(scribe: &mut Scribe<'_>, playlist: &Multivariant) {
    for problem in playlist.problems.iter() {
        scribe.line(problem.check, problem.line, problem.what.as_str());
    }
    groups(scribe, playlist);
    for variant in &playlist.variants {
        let url = variant.url.as_str();
        if variant.bandwidth.is_none() {
            scribe.of(
                &rule::BANDWIDTH_MISSING,
                variant.line,
                url,
                "no BANDWIDTH, or one that is no number",
            );
        }
        if variant.codecs.is_none() {
            scribe.of(&rule::CODECS_MISSING, variant.line, url, "no CODECS");
        }
        let has_video = |codecs: &Vec<String>| codecs.iter().any(|codec| is_video(codec));
        if variant.resolution.is_none() && variant.codecs.as_ref().is_some_and(has_video) {
            scribe.of(
                &rule::RESOLUTION_MISSING,
                variant.line,
                url,
                "video, and no RESOLUTION",
            );
        }
        if variant
            .codecs
            .iter()
            .flatten()
            .any(|codec| codec.starts_with("hev1"))
        {
            scribe.of(
                &rule::HEV1,
                variant.line,
                url,
                "CODECS has hev1; players of Apple want hvc1",
            );
        }
    }
}

fn groups(scribe: &mut Scribe<'_>, playlist: &Multivariant) {
    for variant in &playlist.variants {
        if let Some(group) = &variant.audio
            && playlist.sounds(group).next().is_none()
        {
            let what = format!("AUDIO=\"{group}\", and no EXT-X-MEDIA is of that group");
            scribe.of(
                &rule::GROUP_UNKNOWN,
                variant.line,
                variant.url.as_str(),
                what,
            );
        }
    }
    for (index, member) in playlist.renditions.iter().enumerate() {
        let before = playlist.renditions.get(..index).unwrap_or_default();
        let mut before = before
            .iter()
            .filter(|other| (&other.kind, &other.group) == (&member.kind, &member.group));
        let name = &member.name;
        if before.clone().any(|other| other.name == *name) {
            let what = format!("NAME=\"{name}\" twice in a group");
            scribe.line(&rule::GROUP_ALIKE, member.line, what.as_str());
        } else if member.is_default && before.any(|other| other.is_default) {
            let what = format!("\"{name}\" is the second DEFAULT of its group");
            scribe.line(&rule::GROUP_ALIKE, member.line, what.as_str());
        }
    }
}

/// A variant with the costliest of its sounds against what it declares; `alone` is what was measured of the variant's
/// own media, `sounds` of those of its group (§4.3.4.2: the largest sum of any combination).
pub(crate) fn together(
    scribe: &mut Scribe<'_>,
    variant: &Variant,
    alone: Measured,
    sounds: impl Iterator<Item = Measured>,
    ended: bool,
) {
    let rate = |of: Measured| bits_per_second(of.bytes, of.duration);
    let Some(most) = sounds.filter(|of| of.duration > 0).map(rate).max() else {
        return;
    };
    let sum = rate(alone).saturating_add(most);
    if let Some(declared) = variant.bandwidth.filter(|_| alone.duration > 0)
        && sum > declared.saturating_mul(tolerance(ended)) / 100
    {
        let what = format!("{sum} bit/s with its sound, and BANDWIDTH={declared}");
        scribe.of(
            &rule::BANDWIDTH_EXCEEDED,
            variant.line,
            variant.url.as_str(),
            what,
        );
    }
}

fn is_video(codec: &str) -> bool {
    [
        "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "dvh1", "dvhe",
    ]
    .iter()
    .any(|name| codec.starts_with(name))
}

/// A segment against its variant.
pub(crate) fn segment(
    scribe: &mut Scribe<'_>,
    variant: &Variant,
    line: usize,
    url: &str,
    facts: &Facts,
) {
    codecs(scribe, variant, line, url, facts);
    let Some(video) = facts.video() else {
        return;
    };
    let size = video
        .track
        .config
        .as_ref()
        .ok()
        .and_then(media::CodecConfig::picture_size);
    if let (Some(declared), Some(size)) = (variant.resolution, size)
        && declared != size
        && size != (0, 0)
    {
        let what = format!(
            "RESOLUTION={}x{}, and the pictures are {}x{}",
            declared.0, declared.1, size.0, size.1
        );
        scribe.of(&rule::RESOLUTION_UNTRUE, line, url, what);
    }
    let step = video
        .step()
        .filter(|&step| step > 0 && video.units >= ENOUGH_UNITS);
    if let (Some(declared), Some(step)) = (variant.frame_rate, step) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks between two frames are few"
        )]
        let rate = 90_000.0 / step as f64;
        let what = format!("FRAME-RATE={declared:.3}, and there are {rate:.3} pictures a second");
        if rate > declared * 1.05 {
            scribe.of(&rule::RATE_EXCEEDED, line, url, what);
        } else if rate < declared * 0.75 {
            scribe.of(&rule::RATE_UNTRUE, line, url, what);
        }
    }
}

fn codecs(scribe: &mut Scribe<'_>, variant: &Variant, line: usize, url: &str, facts: &Facts) {
    let Some(declared) = &variant.codecs else {
        return;
    };
    let found: Vec<String> = facts
        .lanes
        .iter()
        .filter_map(|lane| lane.codec_string())
        .collect();
    // A short segment may have none of a track's units.
    let is_known = found.len() == facts.announced.len();
    let lacking = found
        .iter()
        .find(|found| !declared.iter().any(|declared| covers(declared, found)));
    // What another playlist may bring cannot be missed here.
    let expected =
        |declared: &&String| variant.audio.is_none() || (is_video(declared) && !variant.is_sound);
    let surplus = declared.iter().filter(expected);
    let surplus = surplus
        .into_iter()
        .find(|declared| is_known && !found.iter().any(|found| covers(declared, found)));
    let listed = declared.join(",");
    if let Some(codec) = lacking {
        scribe.of(
            &rule::CODECS_UNTRUE,
            line,
            url,
            format!("the media has {codec}, and CODECS=\"{listed}\""),
        );
    } else if let Some(codec) = surplus {
        let found = found.join(",");
        scribe.of(
            &rule::CODECS_UNTRUE,
            line,
            url,
            format!("CODECS has {codec}, and the media {found}"),
        );
    }
}

/// Whether a declared codec tells a decoder enough of the one that was found.
fn covers(declared: &str, found: &str) -> bool {
    if declared.eq_ignore_ascii_case(found) {
        return true;
    }
    let split = |codec: &str| {
        codec
            .split_once('.')
            .map(|(name, rest)| (name.to_ascii_lowercase(), rest.to_ascii_lowercase()))
    };
    let (Some((name, rest)), Some((found_name, found_rest))) = (split(declared), split(found))
    else {
        return false;
    };
    match (name.as_str(), found_name.as_str()) {
        // Profile and constraints are what a decoder must know; a higher level covers a lower one.
        ("avc1" | "avc3", "avc1" | "avc3") => match (rest.get(..4), found_rest.get(..4)) {
            (Some(profile), Some(found)) => {
                profile == found && rest.get(4..) >= found_rest.get(4..)
            }
            _ => false,
        },
        // hvc1 and hev1 differ in where the parameter sets are.
        ("hvc1" | "hev1", "hvc1" | "hev1") => rest == found_rest,
        // In AAC, SBR and PS may be signalled in the frames alone.
        ("mp4a", "mp4a") => {
            let is_aac = |rest: &str| matches!(rest, "40.2" | "40.5" | "40.29");
            is_aac(&rest) && is_aac(&found_rest)
        }
        _ => false,
    }
}

/// What was measured of a variant's segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    bytes: u64,
    duration: Micros,
}

/// Per cent that a measured rate may lie above the one declared (mediastreamvalidator: 10 for VOD, 25 for live).
const fn tolerance(ended: bool) -> u64 {
    if ended { 110 } else { 125 }
}

fn bits_per_second(bytes: u64, duration: Micros) -> u64 {
    let us = duration.max(1).unsigned_abs();
    u64::try_from(u128::from(bytes) * 8_000_000 / u128::from(us)).unwrap_or(u64::MAX)
}

impl Measured {
    /// Adds a segment, and compares it with the declared peak.
    pub(crate) fn add(
        &mut self,
        scribe: &mut Scribe<'_>,
        variant: &Variant,
        (line, url): (usize, &str),
        (bytes, duration): (u64, Micros),
        (target, ended): (Micros, bool),
    ) {
        self.bytes += bytes;
        self.duration += duration;
        let rate = bits_per_second(bytes, duration);
        // The peak is of stretches between half and one and a half target durations (§4.3.4.2).
        let is_long = duration * 2 >= target;
        if let Some(declared) = variant.bandwidth.filter(|_| is_long)
            && rate > declared.saturating_mul(tolerance(ended)) / 100
        {
            let what = format!(
                "{rate} bit/s over {}, and BANDWIDTH={declared}",
                seconds(duration)
            );
            scribe.of(&rule::BANDWIDTH_EXCEEDED, line, url, what);
        }
    }

    /// Compares all segments with the declared average.
    pub(crate) fn finish(self, scribe: &mut Scribe<'_>, variant: &Variant, ended: bool) {
        const ENOUGH: Micros = 20_000_000;
        let rate = bits_per_second(self.bytes, self.duration);
        if let Some(declared) = variant.average.filter(|_| self.duration >= ENOUGH || ended)
            && rate > declared.saturating_mul(tolerance(ended)) / 100
        {
            let what = format!(
                "{rate} bit/s over {}, and AVERAGE-BANDWIDTH={declared}",
                seconds(self.duration)
            );
            scribe.of(
                &rule::AVERAGE_EXCEEDED,
                variant.line,
                variant.url.as_str(),
                what,
            );
        }
    }
}
