//! The server: our own segmenter behind as much HTTP as players see.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use hls::{Blocking, Config, Container, Directives, Presentation, Rendition, Segmenter, WallTime};
use hls_check::{Answer, Method, Request};
use media::{
    AccessUnit, Codec, CodecConfig, DataMessage, Dts, StreamName, Ticks, Timescale, Track, TrackId,
    TrackList,
};

/// avcC of 640x360, Constrained Baseline.
const AVC: &str =
    "0142c01effe100196742c01ed890280bfe5c0440000003004000000c83c58b898001000568c888cb20";
/// AAC-LC, 44.1 kHz, stereo.
const AAC: &str = "1210";
const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
/// 2026-11-20T19:30:00Z.
const WALL: i64 = 1_795_203_000_000;
/// Milliseconds of a picture, and pictures of a group.
const STEP: i64 = 40;
const GROUP: i64 = 50;
/// How much of the stream is there when the checker begins.
const BEGUN: i64 = 50_000;

/// An answer before it is one.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        let headers = vec![("access-control-allow-origin", "*".to_owned())];
        Self {
            status,
            headers,
            body: Bytes::new(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(field, _)| *field == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Replaces a field.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.headers.push((name, value.to_owned()));
    }

    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(field, _)| *field != name);
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn set_text(&mut self, text: &str) {
        self.body = Bytes::copy_from_slice(text.as_bytes());
    }

    pub(super) fn answer(mut self, request: &Request, is_http2: bool) -> Answer {
        if request.method == Method::Head {
            let len = self.body.len().to_string();
            self.set("content-length", &len);
            self.body = Bytes::new();
        }
        Answer {
            url: request.url.clone(),
            status: self.status,
            is_http2,
            headers: self
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: self.body,
        }
    }
}

/// A live stream: 25 pictures a second, a key frame every 2 s, sound.
pub struct Origin {
    pub scheme: &'static str,
    pub is_http2: bool,
    container: Container,
    segmenter: Segmenter,
    presentation: Option<Arc<Presentation>>,
    /// The first decode time, in ms.
    start: i64,
    /// What was published, in ms from `start`.
    published: i64,
    sounds: i64,
    /// From when on times are this much later, after a discontinuity.
    jump: Option<(i64, i64)>,
    /// From when on there is another configuration.
    change: Option<i64>,
    /// When the stream ends.
    end: Option<i64>,
    shift: i64,
    /// Every so many milliseconds there is a cue.
    cues: Option<i64>,
}

impl Origin {
    pub fn ts() -> Self {
        Self::new(Container::Ts, None, 0)
    }

    /// Starting so that times wrap `before_s` seconds after the checker begins.
    pub fn ts_that_wraps(before_s: i64) -> Self {
        // The first millisecond behind 2^33 ticks of 90 kHz.
        let wrap = (1_i64 << 33) / 90 + 1;
        Self::new(Container::Ts, None, wrap - BEGUN - before_s * 1_000)
    }

    pub fn low_latency() -> Self {
        Self::new(Container::Fmp4, Some(Duration::from_millis(333)), 0)
    }

    pub fn fmp4() -> Self {
        Self::new(Container::Fmp4, None, 0)
    }

    fn new(container: Container, part: Option<Duration>, start: i64) -> Self {
        let name = StreamName::parse("live", "demo").unwrap();
        let mut config = Config::new(&name, 0x6a1f);
        config.part = part;
        // Enough for a delta update to skip some.
        config.segments = if part.is_some() { 20 } else { 7 };
        let mut segmenter = Segmenter::new(config);
        segmenter.enable(container);
        segmenter.tracks(&tracks(AVC));
        Self {
            scheme: "http",
            is_http2: false,
            container,
            segmenter,
            presentation: None,
            start,
            published: 0,
            sounds: 0,
            jump: None,
            change: None,
            end: None,
            shift: 0,
            cues: None,
        }
    }

    /// A cue comes every 1.2 s; each third one lasts 9 s.
    pub fn with_cues(mut self) -> Self {
        self.cues = Some(1_200);
        self
    }

    /// Times jump by `by_ms` after so many seconds, with a DISCONTINUITY.
    pub fn jumps(mut self, after_s: i64, by_ms: i64) -> Self {
        self.jump = Some((BEGUN + after_s * 1_000, by_ms));
        self
    }

    /// The configuration changes after so many seconds, with a DISCONTINUITY.
    pub fn changes(mut self, after_s: i64) -> Self {
        self.change = Some(BEGUN + after_s * 1_000);
        self
    }

    /// The stream ends after so many seconds.
    pub fn ends(mut self, after_s: i64) -> Self {
        self.end = Some(BEGUN + after_s * 1_000);
        self
    }

    pub fn over_tls(mut self) -> Self {
        self.scheme = "https";
        self
    }

    pub(super) fn entry(&self) -> String {
        format!("demo{}", self.container.multivariant_suffix())
    }

    /// Publishes what is due at `now`.
    pub(super) fn live(&mut self, now: Duration) {
        let until = BEGUN + i64::try_from(now.as_millis()).unwrap();
        let before = self.published;
        while self.published < until {
            let at = self.published;
            if self.end.is_some_and(|end| at >= end) {
                if before == at && !self.presentation.as_ref().is_some_and(|p| p.ended()) {
                    self.segmenter.finish();
                }
                self.published = until;
                break;
            }
            if let Some((_, by)) = self.jump.filter(|&(when, _)| when == at) {
                self.shift += by;
                self.segmenter.discontinuity();
            }
            if self.change == Some(at) {
                self.segmenter
                    .tracks(&tracks(&AVC.replace("42c01e", "42c01f")));
            }
            let dts = self.start + at + self.shift;
            if self.cues.is_some_and(|every| at % every == 0) {
                self.segmenter.data(&cue(at, dts));
            }
            self.push(picture(at / STEP, dts));
            loop {
                let heard = self.sounds * 1_024_000 / 44_100;
                if heard >= at + STEP {
                    break;
                }
                self.push(sound(self.sounds, self.start + heard + self.shift));
                self.sounds += 1;
            }
            self.published += STEP;
        }
        if let Some(presentation) = self.segmenter.changed() {
            self.presentation = Some(presentation);
        }
    }

    fn push(&mut self, unit: AccessUnit) {
        let wall = WALL + unit.dts.0 - self.start;
        self.segmenter.unit(&unit, WallTime(wall));
    }

    /// What a server says; `None`: not yet.
    pub(super) fn reply(&self, request: &Request) -> Option<Reply> {
        let presentation = self.presentation.as_ref()?;
        let path = request.url.path();
        let name = path.rsplit('/').next().unwrap();
        if path == format!("/live/{}", self.entry()) {
            let text = presentation.multivariant(self.container)?;
            let whole = of_the_whole(&text.body);
            return Some(playlist(request, &whole, "no-cache"));
        }
        if name == self.container.playlist_name() {
            return self.media(presentation, request);
        }
        if presentation.is_hinted(name) && presentation.resource(name).is_none() {
            return None;
        }
        Some(match presentation.resource(name) {
            Some(resource) => self::resource(request, &resource),
            None => Reply::status(404),
        })
    }

    fn media(&self, presentation: &Presentation, request: &Request) -> Option<Reply> {
        let Rendition::Ready(ready) = presentation.rendition(self.container) else {
            return None;
        };
        let Ok(directives) = Directives::parse(request.url.query().unwrap_or_default()) else {
            return Some(Reply::status(400));
        };
        let is_low_latency = presentation.is_low_latency(self.container);
        if let Some(until) = directives.until.filter(|_| is_low_latency) {
            match presentation.blocking(self.container, until) {
                Blocking::Ready => {}
                Blocking::Wait => return None,
                Blocking::FarAhead => return Some(Reply::status(400)),
            }
        }
        let delta = directives.skip.and_then(|skip| ready.delta(skip));
        let text = delta.unwrap_or(&ready.media);
        Some(playlist(request, &text.body, "no-cache"))
    }
}

/// A multivariant playlist without sound alone and key frames alone: here a fault has one place.
fn of_the_whole(text: &[u8]) -> Bytes {
    let mut lines = std::str::from_utf8(text).unwrap().lines();
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        let is_sound = line.starts_with("#EXT-X-STREAM-INF") && !line.contains("RESOLUTION");
        if is_sound {
            lines.next();
        } else if !line.starts_with("#EXT-X-I-FRAME-STREAM-INF") {
            kept += line;
            kept.push('\n');
        }
    }
    kept.into()
}

fn playlist(request: &Request, body: &Bytes, cache: &str) -> Reply {
    let mut reply = Reply::status(200);
    reply.set("content-type", "application/vnd.apple.mpegurl");
    reply.set("cache-control", cache);
    reply.body = body.clone();
    if request
        .headers
        .contains(&("accept-encoding", "gzip".to_owned()))
    {
        reply.set("content-encoding", "gzip");
        reply.body = gzip(body);
    }
    reply
}

fn gzip(body: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap().into()
}

fn resource(request: &Request, resource: &hls::Resource) -> Reply {
    let body = resource.body.joined();
    let mut reply = Reply::status(200);
    reply.set("content-type", resource.content_type);
    reply.set("cache-control", "public, max-age=31536000, immutable");
    reply.set("etag", &resource.etag);
    let field = |wanted| {
        let mut fields = request.headers.iter().filter(|(name, _)| *name == wanted);
        fields.next().map(|(_, value)| value.as_str())
    };
    if field("if-none-match") == Some(&resource.etag) {
        reply.status = 304;
        return reply;
    }
    let Some(range) = field("range") else {
        reply.body = body;
        return reply;
    };
    let (first, last) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let first: usize = first.parse().unwrap();
    if first >= body.len() {
        reply.status = 416;
        return reply;
    }
    let last = last.parse().unwrap_or(usize::MAX).min(body.len() - 1);
    reply.status = 206;
    reply.set(
        "content-range",
        &format!("bytes {first}-{last}/{}", body.len()),
    );
    reply.body = body.slice(first..=last);
    reply
}

fn tracks(avc: &str) -> Arc<TrackList> {
    let config = |codec, record: &str| CodecConfig::parse(codec, &hex(record)).unwrap();
    let track = |id, config| Arc::new(Track::new(id, Timescale::MILLIS, config));
    let video = track(VIDEO, config(Codec::H264, avc));
    Arc::new(TrackList::new(vec![
        video,
        track(AUDIO, config(Codec::Aac, AAC)),
    ]))
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
    (0..text.len() / 2).map(byte).collect()
}

/// A picture that is shown two pictures after it is decoded.
fn picture(number: i64, dts: i64) -> AccessUnit {
    let is_key = number % GROUP == 0;
    let size = if is_key { 900 } else { 300 };
    let mut payload = BytesMut::new();
    payload.put_u32(size + 5);
    payload.put_u8(if is_key { 0x65 } else { 0x41 });
    payload.put_u32(u32::try_from(number).unwrap() | 0x8000_0000);
    payload.put_bytes(0xa5, size as usize);
    let unit =
        AccessUnit::new(VIDEO, Dts(dts), payload.freeze()).composition_offset(Ticks(2 * STEP));
    if is_key { unit.random_access() } else { unit }
}

/// `onCuePoint` with an object of one property (AMF 0 §2).
fn cue(at: i64, dts: i64) -> DataMessage {
    let (name, value) = match at % 3_600 {
        0 => (&b"duration"[..], 9.0_f64),
        _ => (&b"number"[..], 1.0),
    };
    let mut amf0 = BytesMut::new();
    amf0.put_slice(b"\x02\x00\x0aonCuePoint\x03");
    amf0.put_u16(u16::try_from(name.len()).unwrap());
    amf0.put_slice(name);
    amf0.put_u8(0);
    amf0.put_f64(value);
    amf0.put_slice(&[0, 0, 9]);
    DataMessage {
        name: "onCuePoint".into(),
        dts: Dts(dts),
        amf0: amf0.freeze(),
    }
}

fn sound(number: i64, dts: i64) -> AccessUnit {
    let mut payload = BytesMut::new();
    payload.put_i64(number);
    payload.put_bytes(0x5a, 60);
    AccessUnit::new(AUDIO, Dts(dts), payload.freeze()).random_access()
}
