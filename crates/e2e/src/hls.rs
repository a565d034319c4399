//! A strict HLS client: follows a live media playlist, keeps every segment, and checks what RFC 8216
//! lets a client rely on while it does.

use crate::http::{Response, get};
use crate::wait::secs;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A media playlist, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playlist {
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_s: u64,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub discontinuity_sequence: u64,
    /// Segments in order.
    pub segments: Vec<Segment>,
    /// `EXT-X-ENDLIST` was there.
    pub ended: bool,
}

/// A segment of a playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Path on the server.
    pub path: String,
    /// `EXTINF`, seconds.
    pub duration_s: f64,
    /// A DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// Path of its init segment.
    pub init: Option<String>,
    /// `EXT-X-PROGRAM-DATE-TIME`, if it has one.
    pub date_time: Option<String>,
}

/// Resolves a playlist's URI against the playlist's own path.
fn resolve(base: &str, uri: &str) -> String {
    assert!(!uri.contains("://"), "absolute URI in a playlist: {uri}");
    if uri.starts_with('/') {
        return uri.to_owned();
    }
    let folder = &base[..=base.rfind('/').expect("paths start with /")];
    format!("{folder}{uri}")
}

impl Playlist {
    /// Parses a media playlist that was fetched from `path`.
    ///
    /// # Panics
    /// When it breaks a rule that every playlist must keep.
    pub fn parse(path: &str, text: &str) -> Self {
        let mut list = Self::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"), "{path}: {text}");
        let (mut duration, mut discontinuity, mut init, mut date) = (None, false, None, None);
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target_s = value.parse().unwrap(),
                "#EXT-X-MEDIA-SEQUENCE" => list.sequence = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    list.discontinuity_sequence = value.parse().unwrap();
                }
                "#EXTINF" => duration = value.split(',').next().unwrap().parse::<f64>().ok(),
                "#EXT-X-DISCONTINUITY" => discontinuity = true,
                "#EXT-X-PROGRAM-DATE-TIME" => date = Some(value.to_owned()),
                "#EXT-X-ENDLIST" => list.ended = true,
                "#EXT-X-MAP" => {
                    let uri = value
                        .split("URI=\"")
                        .nth(1)
                        .and_then(|v| v.split('"').next());
                    init = Some(resolve(path, uri.expect("URI of EXT-X-MAP")));
                }
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => list.segments.push(Segment {
                    path: resolve(path, line),
                    duration_s: duration.take().expect("EXTINF before a segment"),
                    discontinuity: std::mem::take(&mut discontinuity),
                    init: init.clone(),
                    date_time: date.take(),
                }),
            }
        }
        for segment in &list.segments {
            assert!(
                segment.duration_s.round() <= list.target_s as f64,
                "{path}: EXTINF {} is longer than the target {}",
                segment.duration_s,
                list.target_s
            );
        }
        list
    }
}

/// The variant and media playlists behind a multivariant URL.
#[derive(Clone, Debug)]
pub struct Multivariant {
    /// The whole text.
    pub text: String,
    /// Attributes of the first `EXT-X-STREAM-INF`.
    pub attributes: String,
    /// Path of the first media playlist.
    pub media: String,
}

/// Waits until a multivariant playlist is served at `path` and reads it.
///
/// # Panics
/// When it is not there within `limit`.
pub fn multivariant(address: &str, path: &str, limit: Duration) -> Multivariant {
    let text = ok(address, path, limit).text();
    let line = text
        .lines()
        .find(|line| line.starts_with("#EXT-X-STREAM-INF:"));
    let attributes = line.unwrap_or_else(|| panic!("{path} has no variant: {text}"));
    let uri = text
        .lines()
        .find(|line| !line.starts_with('#') && !line.is_empty());
    Multivariant {
        attributes: attributes["#EXT-X-STREAM-INF:".len()..].to_owned(),
        media: resolve(path, uri.expect("a URI after EXT-X-STREAM-INF")),
        text,
    }
}

/// `GET` until it is 200: a playlist has nothing before the first segment is complete.
fn ok(address: &str, path: &str, limit: Duration) -> Response {
    crate::wait::until(&format!("200 from {path}"), limit, || {
        let response = get(address, path);
        (response.status == 200).then_some(response)
    })
}

/// Everything a client collected from a live playlist.
#[derive(Debug, Default)]
pub struct Collector {
    address: String,
    path: String,
    /// Segments by media sequence number.
    pub segments: BTreeMap<u64, (Segment, Vec<u8>)>,
    /// Init segments by path.
    pub inits: BTreeMap<String, Vec<u8>>,
    /// The last playlist.
    pub last: Option<Playlist>,
}

impl Collector {
    /// A collector for the media playlist at `path`.
    pub fn new(address: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// Fetches the playlist once and all segments that are new in it. Gives the playlist, or `None`
    /// while there is none.
    ///
    /// # Panics
    /// When the playlist breaks a promise to its clients: sequence numbers that go back or change
    /// their content, a target duration that changes, segments that are listed but not served.
    pub fn poll(&mut self) -> Option<&Playlist> {
        let response = get(&self.address, &self.path);
        if response.status != 200 {
            return None;
        }
        let list = Playlist::parse(&self.path, &response.text());
        if let Some(last) = &self.last {
            assert_eq!(last.target_s, list.target_s, "the target duration changed");
            assert!(
                last.sequence <= list.sequence,
                "the media sequence went back"
            );
            assert!(
                last.discontinuity_sequence <= list.discontinuity_sequence,
                "the discontinuity sequence went back"
            );
            assert!(
                !last.ended || list == *last,
                "the playlist changed after ENDLIST"
            );
        }
        for (number, segment) in (list.sequence..).zip(&list.segments) {
            if let Some((known, _)) = self.segments.get(&number) {
                assert_eq!(known.path, segment.path, "segment {number} changed");
                assert_eq!(
                    known.duration_s, segment.duration_s,
                    "segment {number} changed"
                );
                continue;
            }
            if let Some(init) = &segment.init
                && !self.inits.contains_key(init)
            {
                let response = get(&self.address, init);
                assert_eq!(response.status, 200, "{init}");
                self.inits.insert(init.clone(), response.body);
            }
            let response = get(&self.address, &segment.path);
            assert_eq!(response.status, 200, "{} is listed", segment.path);
            self.segments
                .insert(number, (segment.clone(), response.body));
        }
        self.last = Some(list);
        self.last.as_ref()
    }

    /// Polls until ENDLIST.
    ///
    /// # Panics
    /// When it has not come within `limit`, and as [`Collector::poll`].
    pub fn until_end(&mut self, limit: Duration) {
        self.until("ENDLIST", limit, |list| list.ended);
    }

    /// Polls until a playlist fulfils `condition`.
    ///
    /// # Panics
    /// When none has within `limit`, and as [`Collector::poll`].
    pub fn until(&mut self, what: &str, limit: Duration, condition: impl Fn(&Playlist) -> bool) {
        let start = Instant::now();
        while !self.poll().is_some_and(&condition) {
            assert!(
                start.elapsed() < limit,
                "waited {limit:?} in vain for {what} of {}: {:#?}",
                self.path,
                self.last
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The media as one file: each init segment once, before the first segment that needs it.
    pub fn concatenated(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut init = None;
        for (segment, bytes) in self.segments.values() {
            if segment.init != init {
                init.clone_from(&segment.init);
                if let Some(path) = &init {
                    all.extend_from_slice(&self.inits[path]);
                }
            }
            all.extend_from_slice(bytes);
        }
        all
    }

    /// How many segments are marked with a DISCONTINUITY.
    pub fn discontinuities(&self) -> usize {
        self.segments
            .values()
            .filter(|(s, _)| s.discontinuity)
            .count()
    }

    /// The sum of all `EXTINF`, seconds.
    pub fn duration_s(&self) -> f64 {
        self.segments.values().map(|(s, _)| s.duration_s).sum()
    }
}

/// How long tests wait for the first segment of a stream with 1 s or 2 s segments.
pub const FIRST_SEGMENT: Duration = secs(10);
