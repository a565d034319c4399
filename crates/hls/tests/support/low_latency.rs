//! Reads low latency playlists line by line, and checks H13 to H16 over their whole life.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use hls::{Blocking, Container, Feed, Presentation, Skip, Until};

/// A media playlist with parts, as its lines say.
#[derive(Debug, Default)]
pub struct Playlist {
    pub version: u64,
    pub target_ms: u64,
    pub part_target_ms: u64,
    pub hold_back_ms: u64,
    pub skip_until_ms: u64,
    pub blocks: bool,
    pub skipped: u64,
    pub media_sequence: u64,
    pub segments: Vec<Segment>,
    /// Parts after the last segment.
    pub open: Vec<Part>,
    pub hint: Option<String>,
    /// URI, sequence number and part of each rendition report.
    pub reports: Vec<(String, u64, u64)>,
    pub ended: bool,
}

#[derive(Debug, Default)]
pub struct Segment {
    pub uri: String,
    pub duration_ms: u64,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub uri: String,
    pub duration_ms: u64,
    pub independent: bool,
    pub gap: bool,
}

fn millis(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    assert!(part.len() <= 3, "{seconds}");
    whole.parse::<u64>().unwrap() * 1_000 + format!("{part:0<3}").parse::<u64>().unwrap()
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, list) = line.split_once(':')?;
    list.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}

pub fn parse(text: &str) -> Playlist {
    let mut playlist = Playlist::default();
    let mut duration_ms = None;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("#EXTM3U"));
    for line in lines {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        let of = |name| attribute(line, name);
        match tag {
            "#EXT-X-VERSION" => playlist.version = value.parse().unwrap(),
            "#EXT-X-TARGETDURATION" => playlist.target_ms = millis(value),
            "#EXT-X-MEDIA-SEQUENCE" => playlist.media_sequence = value.parse().unwrap(),
            "#EXT-X-SERVER-CONTROL" => {
                playlist.blocks = of("CAN-BLOCK-RELOAD") == Some("YES");
                playlist.hold_back_ms = millis(of("PART-HOLD-BACK").unwrap());
                playlist.skip_until_ms = millis(of("CAN-SKIP-UNTIL").unwrap());
            }
            "#EXT-X-PART-INF" => playlist.part_target_ms = millis(of("PART-TARGET").unwrap()),
            "#EXT-X-SKIP" => playlist.skipped = of("SKIPPED-SEGMENTS").unwrap().parse().unwrap(),
            "#EXT-X-PART" => playlist.open.push(Part {
                uri: of("URI").unwrap().to_owned(),
                duration_ms: millis(of("DURATION").unwrap()),
                independent: of("INDEPENDENT") == Some("YES"),
                gap: of("GAP") == Some("YES"),
            }),
            "#EXTINF" => duration_ms = Some(millis(value.trim_end_matches(','))),
            "#EXT-X-PRELOAD-HINT" => {
                assert_eq!(of("TYPE"), Some("PART"));
                playlist.hint = of("URI").map(str::to_owned);
            }
            "#EXT-X-RENDITION-REPORT" => playlist.reports.push((
                of("URI").unwrap().to_owned(),
                of("LAST-MSN").unwrap().parse().unwrap(),
                of("LAST-PART").unwrap().parse().unwrap(),
            )),
            "#EXT-X-ENDLIST" => playlist.ended = true,
            "#EXT-X-INDEPENDENT-SEGMENTS"
            | "#EXT-X-DISCONTINUITY-SEQUENCE"
            | "#EXT-X-DISCONTINUITY"
            | "#EXT-X-MAP"
            | "#EXT-X-KEY"
            | "#EXT-X-GAP"
            | "#EXT-X-PROGRAM-DATE-TIME"
            | "#EXT-X-DATERANGE" => {}
            uri if !uri.starts_with('#') => playlist.segments.push(Segment {
                uri: line.to_owned(),
                duration_ms: duration_ms.take().unwrap(),
                parts: std::mem::take(&mut playlist.open),
            }),
            other => panic!("{other}"),
        }
    }
    playlist
}

/// What was seen of the parts so far.
pub struct Checker {
    feed: Feed,
    part_target_ms: Option<u64>,
    /// By sequence number and index.
    seen: BTreeMap<(u64, usize), (Part, Option<Bytes>)>,
    /// Segments from here on were not seen complete.
    complete: u64,
}

impl Default for Checker {
    fn default() -> Self {
        Self::of_feed(Container::Fmp4.into())
    }
}

impl Playlist {
    /// The newest segment and part listed.
    pub fn position(&self) -> (u64, u64) {
        let next = self.media_sequence + self.segments.len() as u64;
        match self.open.len() as u64 {
            0 => {
                let parts = self.segments.last().unwrap().parts.len() as u64;
                (next - 1, parts - 1)
            }
            parts => (next, parts - 1),
        }
    }
}

impl Checker {
    pub fn of_feed(feed: Feed) -> Self {
        Self {
            feed,
            part_target_ms: None,
            seen: BTreeMap::new(),
            complete: 0,
        }
    }

    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.seen.values().map(|(part, _)| part)
    }

    /// Parts of one segment.
    pub fn of(&self, sequence: u64) -> Vec<&Part> {
        let parts = self.seen.range((sequence, 0)..(sequence + 1, 0));
        parts.map(|(_, (part, _))| part).collect()
    }

    pub fn check(&mut self, presentation: &Presentation) {
        let Some(text) = presentation.media(self.feed) else {
            return;
        };
        assert!(presentation.is_low_latency(self.feed));
        let text = std::str::from_utf8(&text.body).unwrap();
        let playlist = parse(text);
        let target = *self.part_target_ms.get_or_insert(playlist.part_target_ms);
        assert_eq!(playlist.part_target_ms, target, "the part target changed");
        assert!(target <= playlist.target_ms, "H13: part target");
        assert!(playlist.hold_back_ms >= 3 * target, "H13: hold back");
        assert!(playlist.skip_until_ms >= 6 * playlist.target_ms, "H16");
        assert!(playlist.blocks && playlist.version >= 9);
        assert_eq!(playlist.skipped, 0, "H16: nobody asked for a delta");
        self.listed(presentation, &playlist, target);
        self.edge(presentation, &playlist);
        self.delta(presentation, text, &playlist);
        self.reports(presentation, &playlist);
    }

    /// Each report says what the other playlist says (§4.4.5.4).
    fn reports(&self, presentation: &Presentation, playlist: &Playlist) {
        assert!(!playlist.ended || playlist.reports.is_empty());
        // Those of another stream's playlists are not here to compare.
        let own = playlist.reports.iter();
        for (uri, sequence, part) in own.filter(|(uri, ..)| !uri.starts_with("../")) {
            let feed = Feed::all()
                .find(|feed| feed.playlist_name() == uri)
                .unwrap();
            assert_ne!(feed, self.feed, "a report of itself");
            let there = match presentation.media(feed) {
                Some(text) => parse(std::str::from_utf8(&text.body).unwrap()).position(),
                // It will begin with what this one has.
                None => playlist.position(),
            };
            assert_eq!((*sequence, *part), there, "H13: report of {uri}");
        }
    }

    fn listed(&mut self, presentation: &Presentation, playlist: &Playlist, target: u64) {
        let open_ms: u64 = playlist.open.iter().map(|part| part.duration_ms).sum();
        let mut rest = open_ms;
        for (index, segment) in playlist.segments.iter().enumerate().rev() {
            let sequence = playlist.media_sequence + index as u64;
            rest += segment.duration_ms;
            assert_eq!(
                segment.parts.is_empty(),
                rest > 3 * playlist.target_ms,
                "parts are listed within three target durations: {}",
                segment.uri
            );
            let Some((_, before_last)) = segment.parts.split_last() else {
                continue;
            };
            let sum: u64 = segment.parts.iter().map(|part| part.duration_ms).sum();
            assert_eq!(sum, segment.duration_ms, "parts fill {}", segment.uri);
            for part in before_last {
                assert!(
                    part.duration_ms * 100 >= target * 85,
                    "H13: {part:?} of {target}"
                );
            }
            if sequence < self.complete {
                continue;
            }
            let mut joined = BytesMut::new();
            for (index, part) in segment.parts.iter().enumerate() {
                let body = self.part(presentation, (sequence, index), part, target);
                joined.put_slice(&body.unwrap_or_default());
            }
            let whole = presentation.resource(&segment.uri);
            let whole = whole.map(|found| found.body.joined()).unwrap_or_default();
            assert_eq!(joined, whole, "{} is its parts", segment.uri);
            // None may follow that was announced.
            assert_eq!(self.of(sequence).len(), segment.parts.len());
        }
        let sequence = playlist.media_sequence + playlist.segments.len() as u64;
        self.complete = sequence;
        for (index, part) in playlist.open.iter().enumerate() {
            self.part(presentation, (sequence, index), part, target);
        }
        assert_eq!(self.of(sequence).len(), playlist.open.len());
    }

    /// A part never changes, and is there unless it is a gap.
    fn part(
        &mut self,
        presentation: &Presentation,
        place: (u64, usize),
        part: &Part,
        target: u64,
    ) -> Option<Bytes> {
        assert!(
            (1..=target).contains(&part.duration_ms),
            "H13: {part:?} of {target}"
        );
        let found = presentation.resource(&part.uri).map(|found| {
            assert!(found.content_type.ends_with("/mp4"));
            found.body.joined()
        });
        assert_eq!(found.is_none(), part.gap, "{part:?}");
        let seen = self
            .seen
            .entry(place)
            .or_insert((part.clone(), found.clone()));
        assert_eq!(*seen, (part.clone(), found.clone()), "a part changed");
        found
    }

    /// What requests for the edge of the playlist get (H14).
    fn edge(&self, presentation: &Presentation, playlist: &Playlist) {
        let ask = |sequence, part| {
            let until = Until { sequence, part };
            presentation.blocking(self.feed, until)
        };
        let last = playlist.media_sequence + playlist.segments.len() as u64 - 1;
        assert_eq!(ask(last, None), Blocking::Ready);
        if last > playlist.media_sequence {
            assert_eq!(ask(last - 1, Some(1_000_000)), Blocking::Ready);
        }
        for index in 0..playlist.open.len() as u64 {
            assert_eq!(ask(last + 1, Some(index)), Blocking::Ready);
        }
        if playlist.ended {
            assert_eq!(playlist.hint, None);
            assert_eq!(ask(last + 100, None), Blocking::Ready);
            return;
        }
        let parts = playlist.open.len() as u64;
        assert_eq!(ask(last + 1, Some(parts)), Blocking::Wait);
        assert_eq!(ask(last + 1, None), Blocking::Wait);
        assert_eq!(ask(last + 2, None), Blocking::Wait);
        assert_eq!(ask(last + 2, Some(0)), Blocking::Wait);
        assert_eq!(ask(last + 3, None), Blocking::FarAhead);
        assert_eq!(ask(last + 3, Some(0)), Blocking::FarAhead);
        assert_eq!(ask(u64::MAX, Some(u64::MAX)), Blocking::FarAhead);
        assert_eq!(ask(last + 1, Some(parts + 1_000)), Blocking::FarAhead);
        let after_last = ask(
            last,
            Some(playlist.segments.last().unwrap().parts.len() as u64),
        );
        let first_of_next = ask(last + 1, Some(0));
        assert_eq!(
            after_last, first_of_next,
            "beyond the last part is the next segment"
        );
        let hint = playlist.hint.as_ref().expect("a hint");
        assert!(presentation.is_hinted(hint) && presentation.resource(hint).is_none());
        assert!(
            playlist
                .open
                .iter()
                .all(|part| !presentation.is_hinted(&part.uri))
        );
    }

    /// A delta update is the playlist, less lines of segments beyond the skip boundary.
    fn delta(&self, presentation: &Presentation, full: &str, playlist: &Playlist) {
        let hls::Rendition::Ready(ready) = presentation.rendition(self.feed) else {
            panic!("a playlist of nothing");
        };
        let open_ms: u64 = playlist.open.iter().map(|part| part.duration_ms).sum();
        let listed: u64 = playlist.segments.iter().map(|s| s.duration_ms).sum();
        let mut rest = open_ms + listed;
        let mut skippable = 0;
        for segment in &playlist.segments {
            rest -= segment.duration_ms;
            skippable += u64::from(rest >= playlist.skip_until_ms);
        }
        assert_eq!(
            ready.delta(Skip::Segments).is_some(),
            ready.delta(Skip::Ranges).is_some()
        );
        let Some(delta) = ready.delta(Skip::Segments) else {
            assert!(skippable == 0 || playlist.ended);
            return;
        };
        let delta = std::str::from_utf8(&delta.body).unwrap();
        let parsed = parse(delta);
        assert_eq!(parsed.skipped, skippable);
        let (header, rest) = delta.split_once("#EXT-X-SKIP").unwrap();
        assert!(full.starts_with(header));
        let (_, rest) = rest.split_once('\n').unwrap();
        // The map and the key that are in force are repeated.
        let rest: Vec<&str> = rest.lines().collect();
        let date = |line: &&str| line.starts_with("#EXT-X-PROGRAM-DATE-TIME");
        let (repeated, rest) = rest.split_at(rest.iter().position(date).unwrap());
        let full: Vec<&str> = full.lines().collect();
        let (before, tail) = full.split_at(full.len() - rest.len());
        assert_eq!(tail, rest, "{delta}");
        let in_force = |tag: &str| {
            let mut lines = before.iter().rev();
            lines.find(|line| line.starts_with(tag)).copied()
        };
        let own = before.iter().rev().take_while(|line| line.starts_with('#'));
        let discontinuity = own.filter(|line| **line == "#EXT-X-DISCONTINUITY");
        let wanted = discontinuity.copied();
        let wanted = wanted
            .chain(in_force("#EXT-X-MAP"))
            .chain(in_force("#EXT-X-KEY"));
        assert_eq!(repeated, wanted.collect::<Vec<_>>(), "{delta}");
    }
}
