//! Watches a stream's playlists as a validator would, and panics at the first broken rule.

use std::collections::BTreeMap;

use bytes::Bytes;
use hls::{Feed, Presentation};

use super::{decrypt, durations_ms, media, millis, multivariant};

/// What was seen of one container so far.
#[derive(Default)]
pub struct Checker {
    target: Option<u64>,
    seen: BTreeMap<u64, Seen>,
    first: u64,
    ended: bool,
    gained_ms: u64,
    longest_ms: u64,
    inits: BTreeMap<String, Bytes>,
    /// Vectors of whole segments by key, and whose they are.
    vectors: BTreeMap<(String, String), u64>,
    independent: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct Seen {
    pub uri: String,
    pub duration_ms: u64,
    pub wall_ms: i64,
    /// Absolute number of discontinuities before it.
    pub discontinuity: u64,
    pub tagged: bool,
    /// As it is fetched.
    pub body: Bytes,
    /// Without its encryption.
    pub clear: Bytes,
    pub key: Option<String>,
    /// What the playlist had gained when this segment was removed.
    removed_at: Option<u64>,
}

impl Checker {
    /// All segments ever listed, in order.
    pub fn segments(&self) -> Vec<&Seen> {
        self.seen.values().collect()
    }

    pub fn segments_ms(&self) -> u64 {
        self.seen.values().map(|seen| seen.duration_ms).sum()
    }

    pub fn target(&self) -> Option<u64> {
        self.target
    }

    pub fn check(&mut self, presentation: &Presentation, feed: impl Into<Feed>) {
        let feed = feed.into();
        if presentation.media(feed).is_none() {
            assert!(self.seen.is_empty(), "a playlist went away");
            return;
        }
        let playlist = media(presentation, feed);
        assert!(!self.ended || playlist.end_list, "ENDLIST went away");
        self.ended = playlist.end_list;
        let target = *self.target.get_or_insert(playlist.target_duration);
        assert_eq!(playlist.target_duration, target, "H1: the target changed");
        assert_eq!(
            presentation.target_duration(),
            Some(super::seconds(target)),
            "the snapshot and its text agree"
        );
        if self.independent == Some(false) {
            assert!(!playlist.independent_segments, "independence came back");
        }
        self.independent = Some(playlist.independent_segments);
        self.window(&playlist);
        self.listed(presentation, &playlist);
        self.removed(presentation, &playlist);
        self.dates();
        self.bandwidth(presentation, feed, target);
    }

    fn window(&mut self, playlist: &m3u8_rs::MediaPlaylist) {
        assert!(!playlist.segments.is_empty());
        if self.seen.is_empty() {
            self.first = playlist.media_sequence;
        }
        let (first, last) = self.range();
        assert!(playlist.media_sequence >= first, "H2: sequence went back");
        let new_last = playlist.media_sequence + playlist.segments.len() as u64;
        assert!(new_last >= last, "H2: segments vanished from the end");
        let total: u64 = durations_ms(playlist).iter().sum();
        self.longest_ms = self.longest_ms.max(total);
        if playlist.media_sequence > self.first {
            assert!(
                total >= 3 * playlist.target_duration * 1_000,
                "H4: {total} ms listed"
            );
        }
    }

    /// Media sequence of the first listed segment at the last look, and one after the last.
    fn range(&self) -> (u64, u64) {
        let listed = self
            .seen
            .iter()
            .filter(|(_, seen)| seen.removed_at.is_none());
        let first = listed.map(|(&sequence, _)| sequence).next().unwrap_or(0);
        let last = self.seen.keys().next_back().map_or(0, |last| last + 1);
        (first, last)
    }

    fn listed(&mut self, presentation: &Presentation, playlist: &m3u8_rs::MediaPlaylist) {
        let mut discontinuity = playlist.discontinuity_sequence;
        let (mut map, mut key) = (None, None);
        for (index, segment) in playlist.segments.iter().enumerate() {
            let sequence = playlist.media_sequence + index as u64;
            let duration_ms = millis(segment.duration);
            assert!(duration_ms > 0, "duration of {}", segment.uri);
            let rounded = (duration_ms + 500) / 1_000;
            assert!(rounded <= playlist.target_duration, "H1: {duration_ms} ms");
            discontinuity += u64::from(segment.discontinuity);
            if segment.uri.ends_with(".m4s") {
                if let Some(new) = &segment.map {
                    assert!(map.is_none() || segment.discontinuity, "H10");
                    map = Some(new.uri.clone());
                }
                let map = map
                    .as_ref()
                    .expect("H10: EXT-X-MAP before the first segment");
                let init = presentation
                    .resource(map)
                    .expect("init segment")
                    .body
                    .joined();
                let before = self.inits.entry(map.clone()).or_insert(init.clone());
                assert_eq!(*before, init, "{map} changed");
            }
            let is_gap = segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP");
            let found = presentation.resource(&segment.uri);
            assert_eq!(found.is_none(), is_gap, "{}", segment.uri);
            let body = found.map(|found| found.body.joined()).unwrap_or_default();
            key = segment.key.clone().or(key);
            let clear = match &key {
                Some(key) if !is_gap => {
                    self.vector(key, sequence);
                    let init = map.as_ref().and_then(|map| self.inits.get(map));
                    let init = init.map(|init| &init[..]);
                    decrypt::clear(presentation, &body, key, init)
                }
                _ => body.clone(),
            };
            let date = segment.program_date_time.expect("a date");
            let seen = Seen {
                uri: segment.uri.clone(),
                duration_ms,
                wall_ms: date.timestamp_millis(),
                discontinuity,
                tagged: segment.discontinuity,
                body,
                clear,
                key: key.as_ref().and_then(|key| key.uri.clone()),
                removed_at: None,
            };
            match self.seen.get(&sequence) {
                None => {
                    self.gained_ms += duration_ms;
                    self.seen.insert(sequence, seen);
                }
                Some(before) => {
                    assert_eq!(before.uri, seen.uri, "H2");
                    assert_eq!(before.duration_ms, seen.duration_ms, "H2");
                    assert_eq!(before.wall_ms, seen.wall_ms, "H2");
                    assert_eq!(before.discontinuity, seen.discontinuity, "H5");
                    assert_eq!(before.tagged, seen.tagged, "H2");
                    assert_eq!(before.body, seen.body, "a URL changed content");
                    assert_eq!(before.key, seen.key, "a segment changed its key");
                }
            }
        }
    }

    /// No two segments are encrypted with one key and one vector.
    fn vector(&mut self, key: &m3u8_rs::Key, sequence: u64) {
        if key.method == m3u8_rs::KeyMethod::AES128 {
            let name = (key.uri.clone().unwrap(), key.iv.clone().unwrap());
            let whose = *self.vectors.entry(name).or_insert(sequence);
            assert_eq!(whose, sequence, "a vector was used twice");
        }
    }

    fn removed(&mut self, presentation: &Presentation, playlist: &m3u8_rs::MediaPlaylist) {
        for (_, seen) in self.seen.range_mut(..playlist.media_sequence) {
            let removed_at = *seen.removed_at.get_or_insert(self.gained_ms);
            let stays = seen.duration_ms + self.longest_ms;
            if self.gained_ms < removed_at + stays.min(3 * playlist.target_duration * 1_000) {
                let found = presentation.resource(&seen.uri);
                let found = found.map(|found| found.body.joined()).unwrap_or_default();
                assert_eq!(found, seen.body, "H3: {} went early", seen.uri);
                if let Some(key) = &seen.key {
                    assert!(presentation.key(key).is_some(), "H3: {key} went early");
                }
            }
        }
    }

    fn dates(&self) {
        let segments = self.segments();
        for pair in segments.windows(2) {
            let end = pair[0].wall_ms + i64::try_from(pair[0].duration_ms).unwrap();
            assert!(pair[1].wall_ms >= end - 1, "H11: dates went back");
            if !pair[1].tagged {
                assert_eq!(pair[1].wall_ms, end, "H11: dates and durations differ");
            }
        }
    }

    /// RFC 8216 §4.1: peak over runs of half to one and a half target durations.
    fn bandwidth(&self, presentation: &Presentation, feed: Feed, target: u64) {
        if presentation.multivariant(feed.container()).is_none() {
            return;
        }
        let playlist = multivariant(presentation, feed.container());
        let mut variants = playlist.variants.iter();
        let uri = format!("demo/{}", feed.playlist_name());
        let Some(variant) = variants.find(|variant| variant.uri == uri) else {
            return;
        };
        let segments = self.segments();
        for begin in 0..segments.len() {
            let (mut ms, mut bits) = (0, 0);
            for segment in &segments[begin..] {
                ms += segment.duration_ms;
                bits += segment.body.len() as u64 * 8;
                if ms > target * 1_500 {
                    break;
                }
                if ms >= target * 500 {
                    let rate = bits * 1_000 / ms;
                    assert!(
                        rate <= variant.bandwidth,
                        "H8: {rate} > {}",
                        variant.bandwidth
                    );
                }
            }
        }
        assert!(variant.average_bandwidth.unwrap() <= variant.bandwidth);
    }
}
