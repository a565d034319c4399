//! Playlists, read (RFC 8216 §4): what is needed to find the media, and no more.
//!
//! Written here and not left to a library: line numbers in errors, durations as they are, a key and
//! a map that hold until the next one, and no line that is taken for a segment because its tag could
//! not be read.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Segments of one playlist. Threat: a line of two bytes costs a hundred in memory. At 2 s each they
/// are four days.
const MAX_SEGMENTS: usize = 200_000;
/// Renditions beside a variant. Threat: each is a playlist in memory.
const MAX_AUDIO: usize = 16;

/// A playlist.
#[derive(Debug)]
pub(super) enum Playlist {
    /// The variant that is read, and the audio beside it.
    Multivariant {
        variant: Resource,
        audio: Vec<Resource>,
    },
    /// The segments.
    Media(Vec<Segment>),
}

/// A file that a playlist names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Its path in the folder as it was written.
    pub(super) path: Arc<str>,
    /// The same when what was written is a URI with escapes or a query; `None` when it is not.
    pub(super) decoded: Option<Arc<str>>,
    /// It is elsewhere: `path` is what was written.
    pub(super) is_outside: bool,
    /// The bytes of it; `None`: all.
    pub(super) range: Option<Range<u64>>,
}

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) resource: Resource,
    pub(super) duration: Duration,
    /// Its init segment.
    pub(super) map: Option<Arc<Resource>>,
    /// It does not continue the one before.
    pub(super) discontinuity: bool,
    /// The playlist says that it is not there.
    pub(super) is_gap: bool,
    /// How it is encrypted.
    pub(super) encryption: Option<Arc<str>>,
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) what: Box<str>,
}

impl Resource {
    /// What `reference` names in a playlist at `base`.
    pub(super) fn new(base: &str, reference: &str, range: Option<Range<u64>>) -> Self {
        let path = resolve(base, reference);
        let decoded =
            resolve(base, &decode(reference)).filter(|decoded| Some(decoded) != path.as_ref());
        Self {
            is_outside: path.is_none(),
            path: path.as_deref().unwrap_or(reference).into(),
            decoded: decoded.filter(|_| path.is_some()).map(Into::into),
            range,
        }
    }
}

/// Reads the playlist at the path `base`.
///
/// # Errors
/// [`Malformed`]: no playlist, or a line that decides what is read cannot be understood.
pub(super) fn parse(text: &[u8], base: &str) -> Result<Playlist, Malformed> {
    let text = String::from_utf8_lossy(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = || (1..).zip(text.lines().map(str::trim));
    if lines().next().is_none_or(|(_, line)| line != "#EXTM3U") {
        return Err(malformed(
            1,
            "not a playlist: it does not begin with #EXTM3U",
        ));
    }
    let is_multivariant = lines().any(|(_, line)| line.starts_with("#EXT-X-STREAM-INF:"));
    if is_multivariant {
        multivariant(lines(), base)
    } else {
        media(lines(), base)
    }
}

/// Takes the variant of most bits a second.
fn multivariant<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    base: &str,
) -> Result<Playlist, Malformed> {
    let mut best: Option<(u64, &str, Option<&str>)> = None;
    let mut next: Option<(u64, Option<&str>)> = None;
    let mut renditions: Vec<(&str, bool, &str)> = Vec::new();
    for (_, line) in lines {
        if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let bandwidth = attribute(list, "BANDWIDTH").and_then(|value| value.parse().ok());
            next = Some((bandwidth.unwrap_or(0), attribute(list, "AUDIO")));
        } else if let Some(list) = line.strip_prefix("#EXT-X-MEDIA:") {
            if let (Some("AUDIO"), Some(group), Some(uri)) = (
                attribute(list, "TYPE"),
                attribute(list, "GROUP-ID"),
                attribute(list, "URI"),
            ) {
                renditions.push((group, attribute(list, "DEFAULT") == Some("YES"), uri));
            }
        } else if !line.is_empty()
            && !line.starts_with('#')
            && let Some((bandwidth, audio)) = next.take()
            && best.is_none_or(|(most, ..)| bandwidth > most)
        {
            best = Some((bandwidth, line, audio));
        }
    }
    let Some((_, uri, group)) = best else {
        return Err(malformed(1, "a multivariant playlist without a variant"));
    };
    renditions.retain(|&(of, _, at)| Some(of) == group && at != uri);
    // The default one first.
    renditions.sort_by_key(|&(_, is_default, _)| !is_default);
    let audio = renditions.iter().take(MAX_AUDIO);
    Ok(Playlist::Multivariant {
        variant: Resource::new(base, uri, None),
        audio: audio
            .map(|&(.., uri)| Resource::new(base, uri, None))
            .collect(),
    })
}

/// What the tags before a segment say of it.
#[derive(Default)]
struct Tags {
    duration: Duration,
    /// Length and offset of its bytes.
    range: Option<(u64, Option<u64>)>,
    discontinuity: bool,
    is_gap: bool,
}

fn media<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    base: &str,
) -> Result<Playlist, Malformed> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut tags = Tags::default();
    let (mut map, mut encryption): (Option<Arc<Resource>>, Option<Arc<str>>) = (None, None);
    for (line, text) in lines {
        if let Some(rest) = text.strip_prefix("#EXTINF:") {
            let seconds = rest.split(',').next().unwrap_or_default().trim();
            let seconds = seconds.parse().unwrap_or(0.0);
            tags.duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        } else if let Some(rest) = text.strip_prefix("#EXT-X-BYTERANGE:") {
            let range = byte_range(rest);
            tags.range = Some(range.ok_or_else(|| no_range(line, rest))?);
        } else if let Some(list) = text.strip_prefix("#EXT-X-MAP:") {
            let Some(uri) = attribute(list, "URI") else {
                return Err(malformed(line, "an init segment without a URI"));
            };
            let range = match attribute(list, "BYTERANGE") {
                Some(text) => {
                    let (len, at) = byte_range(text).ok_or_else(|| no_range(line, text))?;
                    Some(bytes(line, at.unwrap_or(0), len)?)
                }
                None => None,
            };
            map = Some(Arc::new(Resource::new(base, uri, range)));
        } else if let Some(list) = text.strip_prefix("#EXT-X-KEY:") {
            let method = attribute(list, "METHOD").unwrap_or("an unknown method");
            encryption = (method != "NONE").then(|| method.into());
        } else if text == "#EXT-X-DISCONTINUITY" {
            tags.discontinuity = true;
        } else if text == "#EXT-X-GAP" {
            tags.is_gap = true;
        } else if text.starts_with("#EXT-X-SKIP:") {
            return Err(malformed(
                line,
                "an update of a playlist, which leaves segments out",
            ));
        } else if !text.is_empty() && !text.starts_with('#') {
            if segments.len() >= MAX_SEGMENTS {
                let what = format!("more than {MAX_SEGMENTS} segments");
                return Err(malformed(line, &what));
            }
            let tags = std::mem::take(&mut tags);
            let resource = resource(base, text, line, tags.range, segments.last())?;
            segments.push(Segment {
                resource,
                duration: tags.duration,
                map: map.clone(),
                discontinuity: tags.discontinuity,
                is_gap: tags.is_gap,
                encryption: encryption.clone(),
            });
        }
    }
    Ok(Playlist::Media(segments))
}

/// A segment's file and bytes; without an offset they follow those of the one before (§4.3.2.2).
fn resource(
    base: &str,
    uri: &str,
    line: usize,
    range: Option<(u64, Option<u64>)>,
    before: Option<&Segment>,
) -> Result<Resource, Malformed> {
    let mut resource = Resource::new(base, uri, None);
    let Some((len, at)) = range else {
        return Ok(resource);
    };
    let same = before
        .map(|before| &before.resource)
        .filter(|before| before.path == resource.path);
    if let Some(before) = same {
        // Thousands of segments of one file share its name.
        resource = before.clone();
    }
    let follows = same.and_then(|before| before.range.as_ref());
    let Some(start) = at.or(follows.map(|range| range.end)) else {
        return Err(malformed(
            line,
            "a byte range without an offset, and no range of that file before it",
        ));
    };
    resource.range = Some(bytes(line, start, len)?);
    Ok(resource)
}

fn bytes(line: usize, start: u64, len: u64) -> Result<Range<u64>, Malformed> {
    let end = start.checked_add(len);
    end.map(|end| start..end)
        .ok_or_else(|| malformed(line, "a byte range that ends beyond 2^64"))
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let text = text.trim();
    match text.split_once('@') {
        Some((len, at)) => Some((len.parse().ok()?, Some(at.parse().ok()?))),
        None => Some((text.parse().ok()?, None)),
    }
}

fn no_range(line: usize, text: &str) -> Malformed {
    let text: String = text.chars().take(40).collect();
    malformed(line, &format!("{text:?} is no byte range"))
}

fn malformed(line: usize, what: &str) -> Malformed {
    Malformed {
        line,
        what: what.into(),
    }
}

/// The value of an attribute, without its quotation marks (§4.2).
fn attribute<'a>(mut list: &'a str, wanted: &str) -> Option<&'a str> {
    loop {
        let (name, rest) = list.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.strip_prefix(',').unwrap_or(rest))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        if name.trim() == wanted {
            return Some(value.trim());
        }
        list = rest;
    }
}

/// The path in the folder that a reference in the playlist at `base` names; `None`: it is outside.
fn resolve(base: &str, reference: &str) -> Option<String> {
    if reference.starts_with('/') || has_scheme(reference) {
        return None;
    }
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Whether a reference is a URI with a scheme (RFC 3986 §4.2).
fn has_scheme(reference: &str) -> bool {
    let first = reference.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A reference without query and fragment, and with its escapes read (RFC 3986 §2.1).
fn decode(reference: &str) -> String {
    let end = reference.find(['?', '#']).unwrap_or(reference.len());
    let mut rest = reference.as_bytes().get(..end).unwrap_or_default();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = match (byte, behind) {
            (b'%', &[high, low, ..]) => hex(high).zip(hex(low)),
            _ => None,
        };
        out.push(escaped.map_or(byte, |(high, low)| high << 4 | low));
        rest = match escaped {
            Some(_) => behind.get(2..).unwrap_or_default(),
            None => behind,
        };
    }
    String::from_utf8(out).unwrap_or_else(|_| reference.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn segments(lines: &str, base: &str) -> Result<Vec<Segment>, Malformed> {
        match parse(format!("#EXTM3U\n{lines}").as_bytes(), base)? {
            Playlist::Media(segments) => Ok(segments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tags_hold_for_as_long_as_the_standard_says() {
        let text = "#EXT-X-VERSION:7\r\n#EXT-X-MAP:URI=\"a,=b.mp4\",BYTERANGE=\"700@20\"\r\n\
            #EXTINF:6.006,title\r\n#EXT-X-BYTERANGE:100@720\r\nall.mp4\r\n\
            #EXT-X-DISCONTINUITY\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\r\n#EXTINF:2\r\n#EXT-X-BYTERANGE:30\r\nall.mp4\r\n\
            #EXT-X-GAP\r\n#EXT-X-KEY:METHOD=NONE\r\n# a comment\r\n\r\n#EXT-X-MAP:URI=\"c\"\r\nb.mp4";
        let found = segments(text, "v/index.m3u8").unwrap();
        let [a, b, c] = &found[..] else {
            panic!("{found:?}")
        };
        let map = a.map.as_ref().unwrap();
        assert_eq!(
            (&*map.path, map.range.clone()),
            ("v/a,=b.mp4", Some(20..720))
        );
        assert_eq!(a.resource.range, Some(720..820));
        assert_eq!(a.duration, Duration::from_millis(6_006));
        assert_eq!((a.discontinuity, &a.encryption), (false, &None));
        assert_eq!(b.resource.range, Some(820..850));
        assert!(Arc::ptr_eq(&a.resource.path, &b.resource.path));
        assert!(b.discontinuity && b.map == a.map && !b.is_gap);
        assert_eq!(b.encryption.as_deref(), Some("AES-128"));
        assert_eq!(&*c.resource.path, "v/b.mp4");
        assert!(c.is_gap && !c.discontinuity && c.encryption.is_none());
        assert_eq!(c.resource.range, None);
        assert_eq!(&*c.map.as_ref().unwrap().path, "v/c");
    }

    #[test]
    fn references_stay_in_the_folder() {
        for (reference, path, decoded) in [
            ("a.ts", Some("v/a.ts"), None),
            ("../a.ts", Some("a.ts"), None),
            ("./x//a.ts", Some("v/x/a.ts"), None),
            ("a%20b.ts?t=1#x", Some("v/a%20b.ts?t=1#x"), Some("v/a b.ts")),
            ("100%.ts", Some("v/100%.ts"), None),
            ("%2e%2e/%2e%2e/a.ts", Some("v/%2e%2e/%2e%2e/a.ts"), None),
            ("../../a.ts", None, None),
            ("/etc/passwd", None, None),
            ("http://host/a.ts", None, None),
            ("file:a.ts", None, None),
        ] {
            let found = Resource::new("v/index.m3u8", reference, None);
            assert_eq!(found.is_outside, path.is_none(), "{reference}");
            assert_eq!(&*found.path, path.unwrap_or(reference));
            assert_eq!(found.decoded.as_deref(), decoded, "{reference}");
        }
    }

    #[test]
    fn lines_that_decide_and_cannot_be_read_are_told() {
        for (text, line, what) in [
            ("#EXT-X-BYTERANGE:1x\na", 2, "\"1x\" is no byte range"),
            (
                "\n#EXT-X-BYTERANGE:18446744073709551615@1\na",
                4,
                "a byte range that ends beyond 2^64",
            ),
            (
                "a\n#EXT-X-BYTERANGE:9\na",
                4,
                "a byte range without an offset, and no range of that file before it",
            ),
            (
                "#EXT-X-MAP:BYTERANGE=\"1\"",
                2,
                "an init segment without a URI",
            ),
            (
                "#EXT-X-SKIP:SKIPPED-SEGMENTS=3",
                2,
                "an update of a playlist, which leaves segments out",
            ),
        ] {
            let error = segments(text, "i").unwrap_err();
            assert_eq!((error.line, &*error.what), (line, what), "{text}");
        }
        let error = parse(b"#EXTINF:1,\na.ts", "i").unwrap_err();
        assert!(error.what.starts_with("not a playlist"), "{error:?}");
        let many = "a\n".repeat(MAX_SEGMENTS + 1);
        let error = segments(&many, "i").unwrap_err();
        assert_eq!(error.line, MAX_SEGMENTS + 2);
    }

    #[test]
    fn the_best_variant_and_its_audio_are_taken() {
        let text = b"\xef\xbb\xbf#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"b\",URI=\"b.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"a\",DEFAULT=YES,URI=\"a.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"muxed\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"lo\",NAME=\"l\",URI=\"l.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO=\"lo\"\nlow.m3u8\n\
            #EXT-X-STREAM-INF:CODECS=\"avc1,mp4a\",BANDWIDTH=900,AUDIO=\"hi\"\n\nhigh/i.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=500\nmid.m3u8\n";
        let Playlist::Multivariant { variant, audio } = parse(text, "i").unwrap() else {
            panic!("media");
        };
        assert_eq!(&*variant.path, "high/i.m3u8");
        let audio: Vec<_> = audio.iter().map(|resource| &*resource.path).collect();
        assert_eq!(audio, ["a.m3u8", "b.m3u8"]);
    }
}
