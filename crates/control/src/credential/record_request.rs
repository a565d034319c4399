//! Recording asked for in the push URL: `?record=mp4|hls&record_interval=1800&record_type=audio`.
//!
//! A mistake here does not cost the publish: what cannot be understood is left out or moved to the
//! nearest allowed value, and a sentence says so.

use std::time::Duration;

use super::query::Query;

/// A file format of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordFormat {
    /// `flv`
    Flv,
    /// `hls`
    Hls,
    /// `mp4`
    Mp4,
}

/// What of a stream is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordMedia {
    /// Picture and sound.
    #[default]
    Av,
    /// Sound only.
    Audio,
}

/// A recording that a push URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRequest {
    /// At least one, each once, in the order FLV, HLS, MP4.
    pub formats: Vec<RecordFormat>,
    /// How long a FLV or MP4 file gets: 300 to 7200 s, to 5400 s under the compatible rules.
    pub segment: Duration,
    /// What is recorded.
    pub media: RecordMedia,
    /// The customer's number for the files, `cliRecoId` or `userdefinerecordid`.
    pub record_id: Option<u32>,
    /// What was not done as it was asked, as sentences.
    pub notes: Vec<String>,
}

const DEFAULT_SEGMENT_S: u64 = 1_800;
const MIN_SEGMENT_S: u64 = 300;
const MAX_SEGMENT_S: u64 = 7_200;
/// The public service's longest.
const COMPAT_MAX_SEGMENT_S: u64 = 5_400;

impl RecordRequest {
    /// Reads the parameters; `None` when no recording is asked for.
    ///
    /// # Errors
    /// One sentence: `record` is there and names no format that we know.
    #[must_use]
    pub fn parse(query: &Query<'_>, compat_matrix: bool) -> Option<Result<Self, String>> {
        let mut notes = Vec::new();
        let list = query.get("record").filter(|list| !list.is_empty())?;
        let mut formats = Vec::new();
        for word in list.split(['|', ',']) {
            match word.to_ascii_lowercase().as_str() {
                "flv" => formats.push(RecordFormat::Flv),
                "hls" | "m3u8" => formats.push(RecordFormat::Hls),
                "mp4" => formats.push(RecordFormat::Mp4),
                other => notes.push(format!("record: {} is none of flv, hls, mp4", shown(other))),
            }
        }
        formats.sort_unstable();
        formats.dedup();
        if formats.is_empty() {
            return Some(Err(format!(
                "record: {} names none of flv, hls, mp4",
                shown(list)
            )));
        }
        let segment = segment(query, compat_matrix, &mut notes);
        let media = match query.get("record_type") {
            None | Some("" | "video" | "av") => RecordMedia::Av,
            Some("audio") => RecordMedia::Audio,
            Some(other) => {
                let other = shown(other);
                notes.push(format!(
                    "record_type: {other} is neither video nor audio; video"
                ));
                RecordMedia::Av
            }
        };
        let record_id = ["cliRecoId", "userdefinerecordid"]
            .into_iter()
            .find_map(|name| query.get(name)?.parse().ok())
            .filter(|id| *id != 0);
        Some(Ok(Self {
            formats,
            segment,
            media,
            record_id,
            notes,
        }))
    }
}

fn segment(query: &Query<'_>, compat_matrix: bool, notes: &mut Vec<String>) -> Duration {
    let max = if compat_matrix {
        COMPAT_MAX_SEGMENT_S
    } else {
        MAX_SEGMENT_S
    };
    let text = query.get("record_interval").unwrap_or_default();
    if text.is_empty() {
        return Duration::from_secs(DEFAULT_SEGMENT_S);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        let text = shown(text);
        notes.push(format!(
            "record_interval: {text} is no number of seconds; {DEFAULT_SEGMENT_S} s"
        ));
        return Duration::from_secs(DEFAULT_SEGMENT_S);
    }
    // A number too long for the type is above the range as well.
    let asked: u64 = text.parse().unwrap_or(u64::MAX);
    let seconds = asked.clamp(MIN_SEGMENT_S, max);
    if seconds != asked {
        notes.push(format!(
            "record_interval: {} s is outside {MIN_SEGMENT_S} to {max} s; {seconds} s",
            shown(text)
        ));
    }
    Duration::from_secs(seconds)
}

/// A peer's word, quoted and cut.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(32).collect();
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn parse(query: &str) -> RecordRequest {
        let query = Query::parse(query);
        RecordRequest::parse(&query, false).unwrap().unwrap()
    }

    #[test]
    fn formats_interval_and_type_are_read() {
        let request =
            parse("record=mp4|hls&record_interval=600&record_type=audio&cliRecoId=123456");
        assert_eq!(request.formats, [RecordFormat::Hls, RecordFormat::Mp4]);
        assert_eq!(request.segment, Duration::from_secs(600));
        assert_eq!(request.media, RecordMedia::Audio);
        assert_eq!(request.record_id, Some(123_456));
        assert!(request.notes.is_empty(), "{:?}", request.notes);
        let request = parse("record=FLV%7Cflv");
        assert_eq!(request.formats, [RecordFormat::Flv]);
        assert_eq!(request.segment, Duration::from_secs(1_800));
        assert_eq!(request.record_id, None);
    }

    #[test]
    fn nothing_is_recorded_without_a_format() {
        assert_eq!(
            RecordRequest::parse(&Query::parse("a=1&record="), false),
            None
        );
        let query = Query::parse("record=avi|mkv");
        let refused = RecordRequest::parse(&query, false).unwrap().unwrap_err();
        assert_eq!(refused, "record: \"avi|mkv\" names none of flv, hls, mp4");
    }

    #[test]
    fn intervals_are_moved_into_their_range_and_that_is_said() {
        for (asked, compat, got) in [
            ("300", false, 300),
            ("7200", false, 7_200),
            ("5400", true, 5_400),
        ] {
            let text = format!("record=flv&record_interval={asked}");
            let request = RecordRequest::parse(&Query::parse(&text), compat);
            let request = request.unwrap().unwrap();
            assert_eq!(request.segment, Duration::from_secs(got));
            assert!(request.notes.is_empty());
        }
        for (asked, compat, got) in [
            ("299", false, 300),
            ("0", false, 300),
            ("7201", false, 7_200),
            ("7200", true, 5_400),
            ("99999999999999999999999", false, 7_200),
            ("-5", false, 1_800),
            ("1e3", false, 1_800),
        ] {
            let text = format!("record=flv&record_interval={asked}");
            let request = RecordRequest::parse(&Query::parse(&text), compat);
            let request = request.unwrap().unwrap();
            assert_eq!(request.segment, Duration::from_secs(got), "{asked}");
            assert_eq!(request.notes.len(), 1, "{asked}");
        }
    }

    proptest! {
        #[test]
        fn no_query_breaks_the_reader(query in "(record|record_interval|record_type|cliRecoId|=|&|[|]|\\PC){0,60}") {
            let query = Query::parse(&query);
            if let Some(Ok(request)) = RecordRequest::parse(&query, false) {
                prop_assert!(!request.formats.is_empty() && request.formats.len() <= 3);
                prop_assert!((300..=7_200).contains(&request.segment.as_secs()));
            }
        }
    }
}
