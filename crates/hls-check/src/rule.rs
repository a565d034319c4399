//! What is checked: every check, with its rule, how bad it is, and where it is written.

use std::fmt;
use std::str::FromStr;

/// A rule that an HLS server has to keep, by its number in the project's list (`docs/design/hls.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule(u8);

impl Rule {
    /// How many there are.
    pub const COUNT: u8 = 18;

    /// The rule `H{number}`; `None` when there is none.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=Self::COUNT => Some(Self(number)),
            _ => None,
        }
    }

    /// All rules, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=Self::COUNT).map(Self)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("H{}", self.0))
    }
}

impl FromStr for Rule {
    type Err = String;

    /// Reads `H1` … `H18`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix(['H', 'h']);
        let number = number.and_then(|number| number.parse().ok());
        number
            .and_then(Self::new)
            .ok_or_else(|| format!("{text:?} is no rule; there are H1 to H{}", Self::COUNT))
    }
}

/// How bad it is to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Players may fail, or a specification says MUST.
    Must,
    /// Players do worse than they could, or a specification says SHOULD.
    Should,
}

impl Severity {
    /// `must` or `should`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }
}

/// One thing that is looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// A stable name, unique among all: `extinf-over-target`.
    pub name: &'static str,
    /// The rule that it belongs to.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is written: `RFC 8216 §4.3.3.1`; `bis` is draft-pantos-hls-rfc8216bis-20, `Apple` the HLS authoring
    /// specification for Apple devices.
    pub section: &'static str,
    /// What holds, as one sentence without a full stop.
    pub says: &'static str,
}

macro_rules! checks {
    ($($id:ident $rule:literal $severity:ident $section:literal $name:literal $says:literal;)*) => {
        $(#[doc = $says]
        pub static $id: Check = Check {
            name: $name, rule: Rule($rule), severity: Severity::$severity, section: $section, says: $says,
        };)*
        /// Every check, in the order of their rules.
        pub static ALL: &[&Check] = &[$(&$id),*];
    };
}

checks! {
    EXTINF_OVER_TARGET 1 Must "RFC 8216 §4.3.3.1" "extinf-over-target" "EXTINF, rounded, is at most the target duration";
    EXTINF_MISSING 1 Must "RFC 8216 §4.3.2.1" "extinf-missing" "each segment has an EXTINF";
    TARGET_MISSING 1 Must "RFC 8216 §4.3.3.1" "target-missing" "each media playlist has a target duration";
    TARGET_CHANGED 1 Must "RFC 8216 §6.2.1" "target-changed" "the target duration never changes";
    EXTINF_UNTRUE 1 Should "RFC 8216 §4.3.2.1" "extinf-untrue" "EXTINF is how long the segment's media lasts";

    LINE_MALFORMED 2 Must "RFC 8216 §4.1" "line-malformed" "each line is what the standard says of it";
    SEGMENT_CHANGED 2 Must "RFC 8216 §6.2.1" "segment-changed" "what is listed of a segment never changes";
    END_REMOVED 2 Must "RFC 8216 §6.2.1" "end-removed" "segments leave from the front only";
    CHANGED_AFTER_END 2 Must "RFC 8216 §6.2.1" "changed-after-end" "nothing changes after ENDLIST";
    STALLED 2 Should "RFC 8216 §6.2.2" "stalled" "a new segment is listed within one and a half target durations";

    LISTED_NOT_SERVED 3 Must "RFC 8216 §6.2.1" "listed-not-served" "what a playlist lists is served";
    REMOVED_NOT_SERVED 3 Must "RFC 8216 §6.2.2" "removed-not-served" "a removed segment is served for its duration and that of the longest playlist with it";

    TOO_SHORT 4 Must "RFC 8216 §6.2.2" "too-short" "segments are removed only while three target durations stay listed";

    CODEC_CHANGED 5 Must "RFC 8216 §4.3.2.3" "codec-changed" "DISCONTINUITY where codecs, parameters or tracks change";
    TIME_JUMPED 5 Must "RFC 8216 §4.3.2.3" "time-jumped" "DISCONTINUITY where times do not go on";
    DISCONTINUITY_SEQUENCE 5 Must "RFC 8216 §6.2.2" "discontinuity-sequence" "the discontinuity sequence counts each DISCONTINUITY that left";

    NEEDLESS_DISCONTINUITY 6 Should "RFC 8216 §4.3.2.3" "needless-discontinuity" "no DISCONTINUITY where nothing changes";

    WRAP_TORN 7 Must "ISO/IEC 13818-1 §2.4.3.7" "wrap-torn" "PTS and DTS wrap at 2^33 each by itself and stay together";
    WRAP_DISCONTINUITY 7 Should "ISO/IEC 13818-1 §2.4.3.7" "wrap-discontinuity" "times wrap at 2^33 without DISCONTINUITY";

    TIMES_DECREASE 8 Must "ISO/IEC 13818-1 §2.4.3.7" "times-decrease" "times of a track never go back within a timeline";
    BANDWIDTH_EXCEEDED 8 Must "RFC 8216 §4.3.4.2" "bandwidth-exceeded" "no segment has more bits a second than BANDWIDTH, by 10 % (VOD) or 25 % (live)";
    PLAYLIST_TYPE 8 Must "RFC 8216 §4" "playlist-mime-type" "playlists are application/vnd.apple.mpegurl or audio/mpegurl";
    SEGMENT_TYPE 8 Should "Apple §12" "segment-mime-type" "segments have the type of their container";
    TAG_CHANGED 8 Must "RFC 8216 §6.2.1" "tag-changed" "tags of the playlist's head do not change";

    TABLES_MISSING 9 Must "RFC 8216 §3.2" "tables-missing" "a TS segment begins with PAT and PMT";
    CONTINUITY 9 Must "ISO/IEC 13818-1 §2.4.3.3" "continuity" "continuity counters run on within and over segments";
    NOT_INDEPENDENT 9 Must "RFC 8216 §4.3.5.1" "not-independent" "with INDEPENDENT-SEGMENTS each segment begins with a key frame";
    NO_KEY_FRAME 9 Should "RFC 8216 §3" "no-key-frame" "a segment with video begins with a key frame";
    SEGMENT_DAMAGED 9 Must "RFC 8216 §3" "segment-damaged" "a segment can be read to its end";

    MAP_MISSING 10 Must "RFC 8216 §3.3" "map-missing" "EXT-X-MAP stands before the first fMP4 segment";
    MAP_CHANGED 10 Must "RFC 8216 §4.3.2.5" "map-changed" "another init segment comes with DISCONTINUITY only";
    INIT_WRONG 10 Must "RFC 8216 §3.3" "init-wrong" "an init segment holds ftyp and moov and no samples";
    TFDT_MISSING 10 Must "RFC 8216 §3.3" "tfdt-missing" "each fragment of each track has a tfdt";
    TFDT_JUMPED 10 Must "RFC 8216 §3.3" "tfdt-jumped" "tfdt goes on over fragments and segments";
    BASE_NOT_MOOF 10 Should "ISO/IEC 23000-19 §7.5.16" "base-not-moof" "fragments say default-base-is-moof";

    DATE_BACK 11 Must "RFC 8216 §6.2.1" "date-back" "PROGRAM-DATE-TIME never goes back";
    DATE_UNTRUE 11 Should "RFC 8216 §4.3.2.6" "date-untrue" "PROGRAM-DATE-TIME agrees with the durations";

    BANDWIDTH_MISSING 12 Must "RFC 8216 §4.3.4.2" "bandwidth-missing" "each variant has a BANDWIDTH";
    CODECS_MISSING 12 Should "RFC 8216 §4.3.4.2" "codecs-missing" "each variant has CODECS";
    CODECS_UNTRUE 12 Must "RFC 8216 §4.3.4.2" "codecs-untrue" "CODECS names the codecs of the media";
    RESOLUTION_MISSING 12 Should "RFC 8216 §4.3.4.2" "resolution-missing" "a variant with video has RESOLUTION";
    RESOLUTION_UNTRUE 12 Must "RFC 8216 §4.3.4.2" "resolution-untrue" "RESOLUTION is the size of the pictures";
    RATE_EXCEEDED 12 Must "RFC 8216 §4.3.4.2" "frame-rate-exceeded" "there are no more pictures a second than FRAME-RATE";
    GROUP_UNKNOWN 12 Must "RFC 8216 §4.3.4.2" "group-unknown" "AUDIO names a group of sounds that is there";
    GROUP_ALIKE 12 Must "RFC 8216 §4.3.4.1.1" "group-alike" "the members of a group have names of their own, and one of them at most is the default";
    RATE_UNTRUE 12 Should "RFC 8216 §4.3.4.2" "frame-rate-untrue" "there are about as many pictures a second as FRAME-RATE";
    AVERAGE_EXCEEDED 12 Should "RFC 8216 §4.3.4.2" "average-bandwidth-exceeded" "AVERAGE-BANDWIDTH is the average";
    HEV1 12 Should "Apple §1" "hev1" "HEVC in fMP4 is hvc1";

    PART_TOO_LONG 13 Must "bis §4.4.3.7" "part-too-long" "a part is at most the part target";
    PART_TOO_SHORT 13 Must "bis §4.4.4.9" "part-too-short" "a part that is not its segment's last is at least 85 % of the part target";
    PART_INF_MISSING 13 Must "bis §4.4.3.7" "part-inf-missing" "a playlist with parts has EXT-X-PART-INF";
    HOLD_BACK_MISSING 13 Must "bis §4.4.3.8" "part-hold-back-missing" "a playlist with parts has PART-HOLD-BACK";
    HOLD_BACK_SHORT 13 Must "bis §4.4.3.8" "part-hold-back-short" "PART-HOLD-BACK is at least twice the part target";
    HOLD_BACK_LOW 13 Should "bis §4.4.3.8" "part-hold-back-low" "PART-HOLD-BACK is at least three times the part target";
    INDEPENDENT_UNTRUE 13 Must "bis §4.4.4.9" "independent-untrue" "a part with INDEPENDENT=YES begins with a key frame";
    INDEPENDENT_MISSING 13 Should "bis §4.4.4.9" "independent-missing" "a part that begins with a key frame has INDEPENDENT=YES";
    HINT_MISSING 13 Should "bis §4.4.5.3" "preload-hint-missing" "a live playlist with parts hints the next one";
    HINT_UNTRUE 13 Must "bis §4.4.5.3" "preload-hint-untrue" "the part that was hinted is the one that comes, or none";
    REPORT_MISSING 13 Should "bis §4.4.5.4" "rendition-report-missing" "a playlist with parts reports on each other rendition";
    PARTS_DIFFER 13 Must "bis §6.2.2" "parts-differ" "a segment is its parts, one behind the other";
    PARTS_SUM 13 Should "bis §4.4.4.9" "parts-sum" "EXTINF is the sum of the parts";

    HELD_TOO_LONG 14 Must "bis §6.2.5.2" "held-too-long" "a request is held for three target durations at most";
    NEXT_REFUSED 14 Must "bis §6.2.5.2" "next-refused" "a request for the next part or segment is answered";
    SEGMENT_NOT_HELD 14 Must "bis §6.2.5.2" "segment-not-held" "_HLS_msn without _HLS_part waits for the whole segment";
    FAR_AHEAD 14 Should "bis §6.2.5.2" "far-ahead-not-refused" "_HLS_msn far beyond the last is 400 at once";
    PART_ALONE 14 Should "bis §6.2.5.2" "part-without-msn" "_HLS_part without _HLS_msn is 400";
    PART_BEYOND 14 Must "bis §6.2.5.2" "part-beyond-segment" "_HLS_part beyond a complete segment means the next segment's first";

    ANSWERED_EARLY 15 Must "bis §6.2.5.2" "answered-early" "CAN-BLOCK-RELOAD=YES where a request really waits for what it names";
    NO_BLOCKING 15 Should "bis §B.1" "no-blocking" "a playlist with parts says CAN-BLOCK-RELOAD=YES";

    SKIP_UNASKED 16 Must "bis §6.2.5.1" "skip-unasked" "EXT-X-SKIP only for those who ask for it";
    SKIP_UNTIL_SHORT 16 Must "bis §4.4.3.8" "can-skip-until-short" "CAN-SKIP-UNTIL is at least six target durations";
    SKIP_TOO_MUCH 16 Must "bis §6.2.5.1" "skipped-too-much" "only segments before the skip boundary are skipped";
    SKIP_DIFFERS 16 Must "bis §6.2.5.1" "delta-differs" "a delta update is the playlist, less what it skips";
    RANGES_DIFFER 16 Must "bis §6.2.5.1" "delta-ranges-differ" "a playlist and its delta update have the date ranges of the whole playlist";
    RANGES_OLD 16 Must "bis §6.2.5.1" "delta-ranges-old" "_HLS_skip=v2 leaves out date ranges that were added before the skip boundary";
    RANGES_UNSAID 16 Must "bis §4.4.5.2" "removed-ranges-unsaid" "the answer to _HLS_skip=v2 lists date ranges that were removed";
    SKIP_VERSION 16 Must "bis §8" "skip-version" "a delta update has EXT-X-VERSION 9 or more";
    SKIP_IGNORED 16 Should "bis §6.2.5.1" "skip-ignored" "who says CAN-SKIP-UNTIL skips what can be skipped";

    CACHE_PLAYLIST 17 Should "Apple §12" "playlist-cache" "caches keep a live playlist for half a target duration at most, one that was waited for six";
    CACHE_SEGMENT 17 Should "Apple §12" "segment-cache" "caches may keep segments";
    BODY_CHANGED 17 Must "RFC 8216 §6.2.1" "body-changed" "what a segment's URL gives never changes";
    ETAG_CHANGED 17 Should "RFC 9110 §8.8.3" "etag-changed" "the same bytes have the same ETag";
    NOT_MODIFIED 17 Should "RFC 9110 §13.1.2" "not-modified" "If-None-Match with the ETag is answered with 304";
    GZIP 17 Should "Apple §12" "gzip" "playlists are compressed for those who take it";
    GZIP_WRONG 17 Must "RFC 9110 §8.4" "gzip-wrong" "what is said to be compressed can be decompressed";
    HEAD 17 Must "RFC 9110 §9.3.2" "head" "HEAD says what GET does";
    RANGE 17 Should "RFC 9110 §14.2" "range" "a range of a segment is answered with 206";
    RANGE_WRONG 17 Must "RFC 9110 §15.3.7" "range-wrong" "206 holds the bytes that were asked for";
    RANGE_BEYOND 17 Should "RFC 9110 §15.5.17" "range-beyond" "a range behind the end is answered with 416";
    CORS 17 Should "Apple §12" "cors" "answers have Access-Control-Allow-Origin";
    CORS_ERROR 17 Should "Apple §12" "cors-error" "errors have Access-Control-Allow-Origin, too";
    MISSING_STATUS 17 Should "RFC 9110 §15.5.5" "missing-status" "what does not exist is 404";
    HTTP2 17 Should "bis §B.1" "http2" "low latency over TLS has HTTP/2";

    SEQUENCE_BACK 18 Must "RFC 8216 §6.2.2" "sequence-back" "the media sequence never goes back";
    VANISHED 18 Must "RFC 8216 §6.2.1" "vanished" "a playlist ends with ENDLIST, and does not vanish";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_rules_are_in_order_and_each_rule_has_checks() {
        let mut names: Vec<_> = ALL.iter().map(|check| check.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.is_sorted_by_key(|check| check.rule));
        for rule in Rule::all() {
            assert!(ALL.iter().any(|check| check.rule == rule), "{rule}");
        }
    }

    #[test]
    fn rules_are_read_by_their_names() {
        assert_eq!("H7".parse(), Ok(Rule(7)));
        assert_eq!("h18".parse(), Ok(Rule(18)));
        for wrong in ["H0", "H19", "7", "H", ""] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }
}
