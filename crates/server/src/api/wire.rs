//! The API's own structs: what clients see, independent of what is inside. Fields are only added.
//! Units are in the names: `_s` seconds, `_ms` milliseconds, `_bps` bits per second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hub::{Phase, Stream, StreamStats};
use media::{Track, TrackKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::hls;
use crate::mirror::HlsCopy;
use crate::state::{self, Shared};

/// Where a stream is pushed to.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[non_exhaustive]
pub struct PushTarget {
    /// Names the target in the API and in the log.
    pub id: String,
    /// Its URL, without its key.
    pub url: String,
    /// `connecting`, `live`, `waiting`, `stopped`.
    pub state: String,
    /// Why it is not live, as the log says it.
    pub reason: Option<String>,
    /// Seconds until the next try.
    pub retry_in_s: Option<f64>,
    /// Tries since it was last live.
    pub attempts: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// How often it lagged and was moved to a later random access point.
    pub skips: u64,
}

/// A recording of a stream.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Recording {
    /// Names it in manifests, events and the log.
    pub id: String,
    /// `pending`, `recording`, `paused`, `suspended`, `finalizing`.
    pub state: String,
    /// Why it is suspended.
    pub reason: Option<String>,
    /// Containers.
    pub formats: Vec<String>,
    /// `av`, `audio` or `video`.
    pub media: String,
    /// Media time recorded.
    pub duration_s: f64,
    /// Bytes written, over all formats.
    pub bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: u64,
    /// Units lost because the queue was full.
    pub dropped_units: u64,
    /// Parts of the stream that files lack.
    pub gaps: u64,
    /// Files that are finished.
    pub files_completed: u64,
    /// Files being written, below the recording folder.
    pub open: Vec<String>,
}

/// `GET /v1/streams`.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamList {
    pub(super) items: Vec<Summary>,
    /// Streams in all pages.
    pub(super) total: usize,
    pub(super) next_cursor: Option<String>,
}

/// A stream in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    pub(super) name: String,
    app: String,
    stream: String,
    /// `live` or `interrupted`.
    state: &'static str,
    started_at: Option<String>,
    uptime_s: Option<f64>,
    publisher: Option<Publisher>,
    tracks: Vec<TrackSummary>,
    bitrate_bps: u64,
    bytes_in: u64,
    bytes_out: u64,
    viewers: usize,
    /// Recordings that have not ended.
    recordings: usize,
    /// Push targets.
    targets: usize,
    /// Those of them that get the stream now.
    targets_live: usize,
}

#[derive(Serialize, ToSchema)]
struct TrackSummary {
    kind: &'static str,
    codec: String,
    codec_string: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Publisher {
    protocol: &'static str,
    peer: Option<String>,
    client: String,
    conn: String,
    connected_s: f64,
}

/// `GET /v1/streams/{app}/{stream}`.
#[derive(Serialize, ToSchema)]
pub(super) struct Detail {
    name: String,
    app: String,
    stream: String,
    state: &'static str,
    /// Set while the stream waits for its publisher.
    interrupted: Option<Interrupted>,
    started_at: Option<String>,
    uptime_s: Option<f64>,
    publisher: Option<Publisher>,
    tracks: Vec<TrackDetail>,
    bitrate_bps: u64,
    bytes_in: u64,
    bytes_out: u64,
    units_in: u64,
    gop_ms: Option<i64>,
    ring_bytes: usize,
    sessions: u64,
    viewers: Viewers,
    drops: Drops,
    timing: Timing,
    hls: HlsState,
    targets: Vec<PushTarget>,
    recordings: Vec<Recording>,
    urls: Urls,
}

#[derive(Serialize, ToSchema)]
struct Interrupted {
    since_s: Option<f64>,
    remaining_s: Option<f64>,
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct TrackDetail {
    id: u16,
    kind: &'static str,
    codec: String,
    /// RFC 6381.
    codec_string: Option<String>,
    /// Why there is no parsed configuration: such a track goes to RTMP and FLV only.
    unconfigured: Option<String>,
    timescale: u32,
    width: Option<u32>,
    height: Option<u32>,
    /// As the bitstream declares it.
    frame_rate: Option<f64>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    bitrate_bps: u64,
    /// Access units per second, measured.
    rate: f64,
    units: u64,
    bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct Viewers {
    count: usize,
    most: usize,
    by_protocol: BTreeMap<&'static str, usize>,
    /// At most 1000 of them, oldest first.
    list: Vec<Viewer>,
}

#[derive(Serialize, ToSchema)]
struct Viewer {
    id: u64,
    protocol: &'static str,
    peer: Option<String>,
    client: String,
    connected_s: f64,
    bytes_out: u64,
    skips: u64,
    frames_missed: u64,
}

#[derive(Serialize, ToSchema)]
struct Drops {
    /// Times that viewers lagged and were moved on.
    skips: u64,
    /// Frames that present viewers missed by that.
    frames_missed: u64,
}

#[derive(Serialize, ToSchema)]
struct Timing {
    restarts: u64,
    gaps: u64,
    backwards: u64,
    max_composition_offset_ms: i64,
    av_offset_ms: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct HlsState {
    /// Whether the stream is being segmented.
    running: bool,
    /// Tracks that HLS leaves out, and why.
    left_out: Vec<String>,
    /// How its media is encrypted: `aes-128`, `cbcs`; null when it is not.
    encryption: Option<&'static str>,
    /// Segments that were not made because their key was missing.
    locked_segments: u64,
    /// Segments cut since somebody first asked.
    segments: u64,
    /// Segments that ended without a random access unit: a group of pictures was too long.
    forced_cuts: u64,
    /// Breaks of the timeline.
    discontinuities: u64,
    /// Video units left out because no random access unit preceded them.
    waiting_units: u64,
    /// Units that a container refused as damaged.
    damaged_units: u64,
    /// Segments dropped early to keep within the limit of bytes.
    evicted_segments: u64,
    /// Times that playlists were rendered.
    renders: u64,
    /// Bytes held now.
    bytes: usize,
    /// `EXT-X-TARGETDURATION`; null until it is known.
    target_duration_s: Option<f64>,
    /// Copies in a storage; empty when the configuration asks for none.
    copies: Vec<HlsCopy>,
    /// What is kept on the disk; null where nothing is (`hls.dvr`).
    dvr: Option<DvrState>,
}

#[derive(Serialize, ToSchema)]
struct DvrState {
    /// How far back viewers can go, at most.
    window_s: f64,
    /// From when on there is something; null while there is nothing.
    from: Option<String>,
    /// Until when there is something.
    to: Option<String>,
    /// Bytes of media on the disk.
    bytes: u64,
    /// Segments in playlists, over all formats.
    segments: u64,
    /// Those of them that could not be stored.
    gaps: u64,
    /// Segments that could not be stored, since this process began.
    lost_segments: u64,
}

#[derive(Serialize, ToSchema)]
struct Urls {
    watch: String,
    hls: String,
    hls_ts: String,
    flv: String,
    ts: String,
    rtmp: Option<String>,
}

pub(super) fn summary(shared: &Shared, stream: &Stream) -> Summary {
    let now = now();
    let stats = stream.stats();
    let track = |track: &Arc<Track>| TrackSummary {
        kind: track.kind().as_str(),
        codec: track.codec.to_string(),
        codec_string: codec_string(track),
    };
    let targets = shared.targets.of(stream.name());
    let is_live = |target: &&PushTarget| target.state == "live";
    Summary {
        name: stream.name().to_string(),
        app: stream.name().app().to_owned(),
        stream: stream.name().stream().to_owned(),
        state: state_word(&stream.phase()),
        started_at: started_at(shared, stream, now),
        uptime_s: stream.started().map(|at| seconds_since(now, at)),
        publisher: publisher(stream, now),
        tracks: stream.tracks().iter().map(track).collect(),
        bitrate_bps: stats.bitrate_bps,
        bytes_in: stats.bytes_in,
        bytes_out: stream.viewers().bytes_out(),
        viewers: stream.viewers().count(),
        recordings: shared.recordings.of(stream.name()).len(),
        targets_live: targets.iter().filter(is_live).count(),
        targets: targets.len(),
    }
}

pub(super) fn detail(shared: &Shared, stream: &Stream, request: &state::Request<'_>) -> Detail {
    let now = now();
    let stats = stream.stats();
    let phase = stream.phase();
    let (viewers, frames_missed) = viewers(shared, stream, now);
    let timing = &stats.timing;
    let entry = shared.hls.get(stream.name());
    Detail {
        name: stream.name().to_string(),
        app: stream.name().app().to_owned(),
        stream: stream.name().stream().to_owned(),
        state: state_word(&phase),
        interrupted: interrupted(&phase, now),
        started_at: started_at(shared, stream, now),
        uptime_s: stream.started().map(|at| seconds_since(now, at)),
        publisher: publisher(stream, now),
        tracks: stream
            .tracks()
            .iter()
            .map(|track| track_detail(track, &stats))
            .collect(),
        bitrate_bps: stats.bitrate_bps,
        bytes_in: stats.bytes_in,
        bytes_out: stream.viewers().bytes_out(),
        units_in: stats.units_in,
        gop_ms: stats.gop_ms,
        ring_bytes: stats.ring_bytes,
        sessions: stats.sessions,
        viewers,
        drops: Drops {
            skips: stream.viewers().skips(),
            frames_missed,
        },
        timing: Timing {
            restarts: timing.restarts,
            gaps: timing.gaps,
            backwards: timing.backwards,
            max_composition_offset_ms: timing.max_composition_offset_ms,
            av_offset_ms: timing.av_offset_ms,
        },
        hls: hls_state(
            entry.as_deref(),
            shared.hls.encryption(stream.name()),
            shared.hls.copies(stream.name()),
            shared.hls.shelf(stream.name()).map(|shelf| shelf.state()),
        ),
        targets: shared.targets.of(stream.name()),
        recordings: shared.recordings.of(stream.name()),
        urls: urls(shared, stream, request),
    }
}

fn hls_state(
    entry: Option<&hls::Entry>,
    encryption: Option<hls::StreamEncryption>,
    copies: Vec<HlsCopy>,
    kept: Option<hls::ShelfState>,
) -> HlsState {
    let stats = entry.map(hls::Entry::stats).unwrap_or_default();
    let target = entry
        .and_then(hls::Entry::snapshot)
        .and_then(|snapshot| snapshot.current.as_ref()?.target_duration());
    HlsState {
        running: entry.is_some_and(hls::Entry::is_running),
        left_out: entry.map(hls::Entry::left_out).unwrap_or_default(),
        encryption: encryption.map(|encryption| encryption.method.as_str()),
        locked_segments: stats.locked_segments,
        segments: stats.segments,
        forced_cuts: stats.forced_cuts,
        discontinuities: stats.discontinuities,
        waiting_units: stats.waiting_units,
        damaged_units: stats.damaged_units,
        evicted_segments: stats.evicted_segments,
        renders: stats.renders,
        bytes: stats.bytes,
        target_duration_s: target.map(rounded),
        copies,
        dvr: kept.map(|kept| DvrState {
            window_s: rounded(kept.window),
            from: kept.span.map(|(from, _)| rfc3339(from.0.div_euclid(1_000))),
            to: kept.span.map(|(_, to)| rfc3339(to.0.div_euclid(1_000))),
            bytes: kept.bytes,
            segments: kept.segments,
            gaps: kept.gaps,
            lost_segments: kept.lost,
        }),
    }
}

/// The runtime's clock, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn state_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Awaited => "awaited",
        Phase::Live => "live",
        Phase::Interrupted { .. } => "interrupted",
        _ => "ended",
    }
}

fn interrupted(phase: &Phase, now: Instant) -> Option<Interrupted> {
    let Phase::Interrupted {
        since,
        until,
        cause,
    } = phase
    else {
        return None;
    };
    Some(Interrupted {
        since_s: since.map(|since| seconds_since(now, since)),
        remaining_s: until.map(|until| rounded(until.saturating_duration_since(now))),
        reason: cause.to_string(),
    })
}

fn publisher(stream: &Stream, now: Instant) -> Option<Publisher> {
    let (info, since) = stream.publisher()?;
    Some(Publisher {
        protocol: info.protocol,
        peer: info.peer.map(|peer| peer.to_string()),
        client: info.client.into(),
        conn: info.conn.into(),
        connected_s: seconds_since(now, since),
    })
}

fn track_detail(track: &Track, stats: &StreamStats) -> TrackDetail {
    let figures = stats.tracks.iter().find(|stats| stats.track == track.id);
    let config = track.config.as_ref().ok();
    let video = config.and_then(|config| config.video());
    let audio = config.and_then(|config| config.audio());
    let rate = video.and_then(|video| video.frame_rate);
    TrackDetail {
        id: track.id.0,
        kind: track.kind().as_str(),
        codec: track.codec.to_string(),
        codec_string: codec_string(track),
        unconfigured: track.config.as_ref().err().map(ToString::to_string),
        timescale: track.timescale.hz(),
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        frame_rate: rate
            .filter(|(_, per)| *per > 0)
            .map(|(frames, per)| thousandths(f64::from(frames) / f64::from(per))),
        sample_rate: audio.map(|audio| audio.sample_rate),
        channels: audio.map(|audio| audio.channels),
        bitrate_bps: figures.map_or(0, |stats| stats.bitrate_bps),
        rate: figures.map_or(0.0, |stats| milli(stats.rate_milli)),
        units: figures.map_or(0, |stats| stats.units),
        bytes: figures.map_or(0, |stats| stats.bytes),
    }
}

fn viewers(shared: &Shared, stream: &Stream, now: Instant) -> (Viewers, u64) {
    let all = stream.viewers().list();
    let mut by_protocol = BTreeMap::new();
    let mut frames_missed = 0;
    for viewer in &all {
        *by_protocol.entry(viewer.info.protocol).or_default() += 1;
        frames_missed += viewer.frames_missed.load(Ordering::Relaxed);
    }
    let one = |viewer: &Arc<hub::Viewer>| Viewer {
        id: viewer.id,
        protocol: viewer.info.protocol,
        peer: viewer.info.peer.map(|peer| peer.to_string()),
        client: viewer.info.client.to_string(),
        connected_s: seconds_since(now, viewer.info.since),
        bytes_out: viewer.bytes_out.load(Ordering::Relaxed),
        skips: viewer.skips.load(Ordering::Relaxed),
        frames_missed: viewer.frames_missed.load(Ordering::Relaxed),
    };
    let listed = all.iter().take(shared.config.limits.listed_viewers);
    let viewers = Viewers {
        count: all.len(),
        most: stream.viewers().most(),
        by_protocol,
        list: listed.map(one).collect(),
    };
    (viewers, frames_missed)
}

fn urls(shared: &Shared, stream: &Stream, request: &state::Request<'_>) -> Urls {
    let base = shared.base_url(request);
    let name = percent_encoded(stream.name().as_str());
    Urls {
        watch: format!("{base}/watch/{name}"),
        hls: format!("{base}/{name}.m3u8"),
        hls_ts: format!("{base}/{name}.ts.m3u8"),
        flv: format!("{base}/{name}.flv"),
        ts: format!("{base}/{name}.ts"),
        rtmp: shared.publish_url(stream.name(), request),
    }
}

/// A name as a URL's path (RFC 3986 §2.1).
pub(super) fn percent_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn codec_string(track: &Track) -> Option<String> {
    let config = track.config.as_ref().ok()?;
    let video_or_audio = matches!(track.kind(), TrackKind::Video | TrackKind::Audio);
    video_or_audio.then(|| config.codec_string())
}

fn started_at(shared: &Shared, stream: &Stream, now: Instant) -> Option<String> {
    let ago = now.saturating_duration_since(stream.started()?);
    let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    let at_ms = (shared.clock)().0.saturating_sub(ago_ms);
    Some(rfc3339(at_ms.div_euclid(1000)))
}

fn seconds_since(now: Instant, then: Instant) -> f64 {
    rounded(now.saturating_duration_since(then))
}

fn rounded(duration: Duration) -> f64 {
    thousandths(duration.as_secs_f64())
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn milli(value: u64) -> f64 {
    value as f64 / 1_000.0
}

/// Unix seconds as `2026-11-20T19:28:55Z` (RFC 3339), by the proleptic Gregorian calendar.
fn rfc3339(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    // Years of 365.2425 days that begin in March: the leap day is then the last one.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_202_935, "2026-11-20T19:28:55Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(unix_s), want);
        }
    }

    #[test]
    fn names_are_encoded_for_urls() {
        assert_eq!(percent_encoded("live/caf\u{e9}-1"), "live/caf%C3%A9-1");
    }
}
