//! What a low latency playlist says, delta updates included (RFC 8216bis §4.4, §6.2.5).

use std::collections::BTreeMap;

/// A part of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Path on the server.
    pub path: String,
    /// `DURATION`.
    pub duration_ms: u64,
    /// A decoder can start there.
    pub independent: bool,
}

/// A complete segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Path on the server.
    pub path: String,
    /// `EXTINF`.
    pub duration_ms: u64,
    /// `EXT-X-PROGRAM-DATE-TIME`.
    pub date_time: Option<String>,
    /// Path of the init segment; `None` in a delta update that leaves its map out.
    pub init: Option<String>,
    /// Its parts, if they are still listed.
    pub parts: Vec<Part>,
}

/// What of a low latency playlist a client goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playlist {
    /// `PART-TARGET`.
    pub target_ms: u64,
    /// `CAN-BLOCK-RELOAD=YES`.
    pub can_block: bool,
    /// `CAN-SKIP-UNTIL`.
    pub skip_until_ms: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub sequence: u64,
    /// Segments that a delta update leaves out.
    pub skipped: u64,
    /// Complete segments by number.
    pub segments: BTreeMap<u64, Segment>,
    /// Parts after them.
    pub open: Vec<Part>,
    /// Path of the part that comes next.
    pub hint: Option<String>,
    /// `EXT-X-ENDLIST`.
    pub ended: bool,
}

impl Playlist {
    /// Reads the playlist that came from the path `media`.
    ///
    /// # Panics
    /// When it lacks what such a playlist has.
    pub fn parse(media: &str, text: &str) -> Self {
        assert!(text.starts_with("#EXTM3U\n"), "{media}: {text}");
        let folder = &media[..=media.rfind('/').unwrap()];
        let millis = |text: &str| (text.parse::<f64>().unwrap() * 1_000.0).round() as u64;
        let attribute = |value: &str, name: &str| {
            let mut pairs = value.split(',').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name);
            found.map(|(_, value)| value.trim_matches('"').to_owned())
        };
        let link = |value: &str| attribute(value, "URI").map(|uri| format!("{folder}{uri}"));
        let mut list = Self::default();
        let (mut number, mut duration_ms, mut date_time, mut init) = (0, 0, None, None);
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-SERVER-CONTROL" => {
                    list.can_block = attribute(value, "CAN-BLOCK-RELOAD").as_deref() == Some("YES");
                    list.skip_until_ms = attribute(value, "CAN-SKIP-UNTIL").map(|s| millis(&s));
                }
                "#EXT-X-PART-INF" => {
                    list.target_ms = millis(&attribute(value, "PART-TARGET").unwrap());
                }
                "#EXT-X-MEDIA-SEQUENCE" => {
                    list.sequence = value.parse().unwrap();
                    number = list.sequence;
                }
                "#EXT-X-SKIP" => {
                    list.skipped = attribute(value, "SKIPPED-SEGMENTS")
                        .unwrap()
                        .parse()
                        .unwrap();
                    number += list.skipped;
                }
                "#EXT-X-MAP" => init = link(value),
                "#EXT-X-PROGRAM-DATE-TIME" => date_time = Some(value.to_owned()),
                "#EXT-X-PART" => list.open.push(Part {
                    path: link(value).unwrap(),
                    duration_ms: millis(&attribute(value, "DURATION").unwrap()),
                    independent: attribute(value, "INDEPENDENT").is_some(),
                }),
                "#EXTINF" => duration_ms = millis(value.trim_end_matches(',')),
                "#EXT-X-PRELOAD-HINT" => list.hint = link(value),
                "#EXT-X-ENDLIST" => list.ended = true,
                _ if line.starts_with('#') => {}
                _ => {
                    let segment = Segment {
                        path: format!("{folder}{line}"),
                        duration_ms,
                        date_time: date_time.take(),
                        init: init.clone(),
                        parts: std::mem::take(&mut list.open),
                    };
                    list.segments.insert(number, segment);
                    number += 1;
                }
            }
        }
        list
    }

    /// Number of the segment that is being made.
    ///
    /// # Panics
    /// When there is no segment.
    pub fn next(&self) -> u64 {
        self.segments.keys().next_back().unwrap() + 1
    }

    /// Whether a part of this path is listed.
    pub fn lists(&self, path: &str) -> bool {
        let closed = self.segments.values().flat_map(|segment| &segment.parts);
        closed.chain(&self.open).any(|part| part.path == path)
    }

    /// Whether part `index` of segment `number`, or what follows it, is there.
    pub fn has(&self, number: u64, index: usize) -> bool {
        self.next() > number || (self.next() == number && self.open.len() > index)
    }

    /// The whole playlist that a delta update stands for, by what this one knows.
    ///
    /// # Panics
    /// When the update leaves out what this one does not have.
    #[must_use]
    pub fn updated(&self, delta: Self) -> Self {
        let mut list = delta;
        let skipped = list.sequence..list.sequence + std::mem::take(&mut list.skipped);
        let mut init = None;
        for number in skipped {
            let known = self.segments.get(&number);
            let known = known.unwrap_or_else(|| panic!("{number} is skipped and was never listed"));
            init.clone_from(&known.init);
            // Parts are not listed as far back as updates leave segments out.
            let parts = Vec::new();
            list.segments.insert(
                number,
                Segment {
                    parts,
                    ..known.clone()
                },
            );
        }
        for segment in list.segments.values_mut() {
            segment.init = segment.init.take().or_else(|| init.clone());
        }
        list
    }
}
