//! Playlists of folders, written.
//!
//! ```text
//! #EXTM3U … #EXT-X-PLAYLIST-TYPE      head
//! #EXT-X-MAP                          map, for fMP4, before the first segment that it holds for
//! #EXT-X-DISCONTINUITY                where something breaks
//! #EXT-X-PROGRAM-DATE-TIME            date, and
//! #EXT-X-DATERANGE                    range of the cues in the segment, where the date is known
//! #EXTINF NAME                        segment, each
//! #EXT-X-ENDLIST                      END, when nothing follows
//! ```
//!
//! Spec: RFC 8216 §4.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::WallTime;
use crate::date::rfc3339;
use crate::timed::DateRange;

/// The last line of a playlist that nothing follows in (§4.3.3.4).
pub const END: &str = "#EXT-X-ENDLIST\n";

/// Whether a playlist may still grow (§4.3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Segments are only added.
    Event,
    /// Nothing changes any more.
    Vod,
}

/// How a playlist begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether it may still grow.
    pub kind: Kind,
    /// Segments are fMP4, so [`map`] follows.
    pub is_fmp4: bool,
    /// Each segment begins with a random access point.
    pub is_independent: bool,
    /// The longest segment, see [`rounded_s`]; at least 1 is written.
    pub target_s: u64,
}

/// Writes the tags in front.
pub fn head(out: &mut String, head: &Head) {
    // §7: EXT-X-MAP needs 6, decimal durations 3.
    let version = if head.is_fmp4 { 6 } else { 3 };
    let kind = match head.kind {
        Kind::Event => "EVENT",
        Kind::Vod => "VOD",
    };
    let _ = write!(
        out,
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{}\n\
         #EXT-X-PLAYLIST-TYPE:{kind}\n#EXT-X-MEDIA-SEQUENCE:0\n",
        head.target_s.max(1)
    );
    if head.is_independent {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
}

/// Writes which init segment holds from here on (§4.3.2.5).
pub fn map(out: &mut String, name: &str) {
    let _ = writeln!(out, "#EXT-X-MAP:URI=\"{name}\"");
}

/// Writes that what follows does not continue what came before (§4.3.2.3).
pub fn discontinuity(out: &mut String) {
    out.push_str("#EXT-X-DISCONTINUITY\n");
}

/// Writes when the segment that follows began, in milliseconds since 1970 (§4.3.2.6).
pub fn date(out: &mut String, at: WallTime) {
    let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", rfc3339(at.0));
}

/// Writes a date range (§4.3.2.7).
pub fn range(out: &mut String, range: &DateRange) {
    let _ = writeln!(out, "#EXT-X-DATERANGE:{}", range.text);
}

/// Writes a segment; its duration to the millisecond, or to the microsecond where that is needed.
pub fn segment(out: &mut String, name: &str, duration: Duration) {
    let (seconds, micros) = (duration.as_secs(), duration.subsec_micros());
    let _ = match micros % 1_000 {
        0 => write!(out, "#EXTINF:{seconds}.{:03},\n{name}\n", micros / 1_000),
        _ => write!(out, "#EXTINF:{seconds}.{micros:06},\n{name}\n"),
    };
}

/// A duration rounded to the nearest second, as the target duration counts (§4.3.3.1).
#[must_use]
pub fn rounded_s(duration: Duration) -> u64 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    millis.saturating_add(500) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_is_written_as_it_is_read() {
        let mut text = String::new();
        head(
            &mut text,
            &Head {
                kind: Kind::Vod,
                is_fmp4: true,
                is_independent: true,
                target_s: rounded_s(Duration::from_millis(6_500)),
            },
        );
        map(&mut text, "init.mp4");
        segment(&mut text, "0.m4s", Duration::from_millis(6_040));
        discontinuity(&mut text);
        segment(&mut text, "1.m4s", Duration::from_micros(6_499_999));
        text.push_str(END);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:7\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n\
             #EXTINF:6.040,\n0.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:6.499999,\n1.m4s\n#EXT-X-ENDLIST\n"
        );
    }
}
