//! What one viewer sees: its frames against their stamps, its audio against its timestamps.

use crate::Error;
use crate::chunk_skipper::Sink;
use crate::clock::micros;
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::video_tag::{VideoTag, is_audio_header};

/// Frames sent within `[start_ns, end_ns)` count; an empty window counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Window {
    pub(crate) fn contains(self, ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&ns)
    }
}

/// What a viewer has seen so far.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Its place in the tally; none when it is not expected to receive all.
    slot: Option<usize>,
    /// The stream it asked for.
    stream: u32,
    connected_ns: u64,
    /// The last frame, and when it was sent.
    last: Option<(u32, u64)>,
    last_audio: Option<u32>,
    audio_step_ms: Option<f64>,
    has_media: bool,
    has_key: bool,
}

/// How far a viewer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// Nothing came yet.
    Waiting,
    /// Audio or video came.
    Media,
    /// A key frame came: it can show a picture.
    Picture,
}

/// A viewer while it takes bytes that came at one moment.
pub(crate) struct Taking<'a> {
    pub(crate) watch: &'a mut Watch,
    pub(crate) tally: &'a mut Tally,
    pub(crate) window: Window,
    pub(crate) now_ns: u64,
}

impl Watch {
    /// A viewer of `stream` that begins to connect.
    pub(crate) fn new(
        slot: Option<usize>,
        stream: u32,
        connected_ns: u64,
        audio_step_ms: Option<f64>,
    ) -> Self {
        Self {
            slot,
            stream,
            connected_ns,
            last: None,
            last_audio: None,
            audio_step_ms,
            has_media: false,
            has_key: false,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        match (self.has_media, self.has_key) {
            (_, true) => Progress::Picture,
            (true, false) => Progress::Media,
            (false, false) => Progress::Waiting,
        }
    }
}

impl Taking<'_> {
    /// Bytes came from the socket.
    pub(crate) fn bytes(&mut self, count: u64) {
        if self.window.contains(self.now_ns) {
            self.tally.bytes_received += count;
        }
    }

    fn media(&mut self) {
        if !self.watch.has_media {
            self.watch.has_media = true;
            self.tally
                .first_media
                .add(micros(self.watch.connected_ns, self.now_ns));
        }
    }

    /// A key frame, or what stands for one, came.
    pub(crate) fn key(&mut self) {
        self.media();
        if !self.watch.has_key {
            self.watch.has_key = true;
            self.tally
                .join
                .add(micros(self.watch.connected_ns, self.now_ns));
        }
    }

    /// A picture came; `None` when it has no stamp.
    pub(crate) fn frame(&mut self, stamp: Option<Stamp>) {
        let Some(stamp) = stamp else {
            self.tally.unstamped += 1;
            return;
        };
        if stamp.stream != self.watch.stream {
            self.tally.strange += 1;
            return;
        }
        if let Some((last, last_sent_ns)) = self.watch.last {
            if stamp.frame > last {
                self.tally.skipped += u64::from(stamp.frame - last - 1);
            } else if stamp.sent_ns <= last_sent_ns {
                self.tally.repeated += 1;
                return;
            }
            // A lower number that was sent later is a publisher that began again.
        }
        self.watch.last = Some((stamp.frame, stamp.sent_ns));
        if stamp.sent_ns < self.watch.connected_ns {
            self.tally.cached += 1;
        }
        if self.window.contains(stamp.sent_ns) {
            self.tally.latency.add(micros(stamp.sent_ns, self.now_ns));
            self.tally
                .streams
                .entry(stamp.stream)
                .or_default()
                .see(stamp.frame);
            if let Some(viewer) = self
                .watch
                .slot
                .and_then(|slot| self.tally.viewers.get_mut(slot))
            {
                viewer.received += 1;
            }
        }
    }
}

impl Sink for Taking<'_> {
    fn video(&mut self, _: u32, head: &[u8]) {
        match VideoTag::parse(head) {
            Some(VideoTag::Frame { is_key, .. }) => {
                match is_key {
                    true => self.key(),
                    false => self.media(),
                }
                self.frame(Stamp::find(head));
            }
            Some(VideoTag::Foreign(_)) => {
                self.media();
                self.tally.unstamped += 1;
            }
            Some(VideoTag::Header(_) | VideoTag::Other) | None => {}
        }
    }

    fn audio(&mut self, timestamp: u32, head: &[u8]) {
        if head.is_empty() || is_audio_header(head) {
            return;
        }
        self.media();
        let last = self.watch.last_audio.replace(timestamp);
        if !self.window.contains(self.now_ns) {
            return;
        }
        self.tally.audio_received += 1;
        let gap = last.map(|last| timestamp.wrapping_sub(last).cast_signed());
        if let (Some(gap), Some(step)) = (gap, self.watch.audio_step_ms) {
            // Timestamps are whole milliseconds: a gap of one step may be one off.
            let missing = (f64::from(gap) / step).round() - 1.0;
            self.tally.audio_missing += missing.max(0.0) as u64;
        }
    }

    fn control(&mut self, _: u8, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::ViewerTally;
    use crate::video_tag::Codec;

    const MS: u64 = 1_000_000;

    struct Run {
        watch: Watch,
        tally: Tally,
    }

    impl Run {
        /// A viewer of stream 1, connected at 1 s; frames sent in 10 s to 20 s count.
        fn new() -> Self {
            let mut tally = Tally::default();
            tally.viewers.push(ViewerTally {
                stream: 1,
                received: 0,
            });
            Self {
                watch: Watch::new(Some(0), 1, 1_000 * MS, Some(1024.0 / 44.1)),
                tally,
            }
        }

        fn at(&mut self, now_ms: u64) -> Taking<'_> {
            Taking {
                watch: &mut self.watch,
                tally: &mut self.tally,
                window: Window {
                    start_ns: 10_000 * MS,
                    end_ns: 20_000 * MS,
                },
                now_ns: now_ms * MS,
            }
        }

        fn frame(&mut self, frame: u32, sent_ms: u64, now_ms: u64) {
            let sent_ns = sent_ms * MS;
            let stamp = Stamp {
                stream: 1,
                frame,
                sent_ns,
            };
            let mut body = vec![
                if frame.is_multiple_of(10) { 0x17 } else { 0x27 },
                1,
                0,
                0,
                0,
            ];
            stamp.write(Codec::H264, &mut body);
            self.at(now_ms).video(0, &body);
        }
    }

    #[test]
    fn frames_of_the_window_count_by_when_they_were_sent() {
        let mut run = Run::new();
        run.frame(1, 9_999, 10_005);
        run.frame(2, 10_000, 10_002);
        run.frame(3, 19_999, 23_000);
        run.frame(4, 20_000, 20_001);
        let latency = run.tally.latency.quantiles();
        assert_eq!(latency.count, 2);
        assert!((latency.max - 3.001).abs() < 0.01, "{latency:?}");
        assert_eq!(run.tally.viewers.first().map(|v| v.received), Some(2));
        assert_eq!(run.tally.streams.get(&1).and_then(|s| s.seen), Some((2, 3)));
    }

    #[test]
    fn skipped_repeated_strange_and_unstamped_frames_are_told_apart() {
        let mut run = Run::new();
        run.frame(5, 11_000, 11_001);
        run.frame(9, 11_160, 11_161);
        run.frame(9, 11_160, 11_170);
        run.frame(8, 11_120, 11_171);
        let strange = Stamp {
            stream: 2,
            frame: 10,
            sent_ns: 11_200 * MS,
        };
        run.at(11_201).frame(Some(strange));
        run.at(11_202)
            .video(0, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]);
        run.at(11_203).video(0, b"\x91av01");
        // The publisher began again.
        run.frame(0, 11_300, 11_301);
        let tally = &run.tally;
        assert_eq!(
            (
                tally.skipped,
                tally.repeated,
                tally.strange,
                tally.unstamped
            ),
            (3, 2, 1, 2)
        );
        assert_eq!(tally.viewers.first().map(|v| v.received), Some(3));
    }

    #[test]
    fn a_join_ends_with_the_first_key_frame() {
        let mut run = Run::new();
        assert_eq!(run.watch.progress(), Progress::Waiting);
        run.at(1_002).audio(0, &[0xaf, 0, 1]);
        run.at(1_002).video(0, &[0x17, 0, 0, 0, 0]);
        assert_eq!(run.watch.progress(), Progress::Waiting);
        run.frame(7, 900, 1_003);
        assert_eq!(run.watch.progress(), Progress::Media);
        run.frame(10, 1_020, 1_040);
        run.frame(20, 1_420, 1_440);
        assert_eq!(run.watch.progress(), Progress::Picture);
        let (join, media) = (
            run.tally.join.quantiles(),
            run.tally.first_media.quantiles(),
        );
        assert_eq!((join.count, media.count, run.tally.cached), (1, 1, 1));
        assert!((join.max - 0.040).abs() < 0.0001 && (media.max - 0.003).abs() < 0.0001);
    }

    #[test]
    fn audio_that_is_missing_is_counted_by_its_timestamps() {
        let mut run = Run::new();
        for timestamp in [0, 23, 46, 70, 93] {
            run.at(10_100).audio(timestamp, &[0xaf, 1, 2]);
        }
        assert_eq!((run.tally.audio_received, run.tally.audio_missing), (5, 0));
        // 186 ms are eight steps: seven are missing.
        run.at(10_200).audio(93 + 186, &[0xaf, 1, 2]);
        assert_eq!(run.tally.audio_missing, 7);
        // Before the window nothing counts, and time may wrap.
        run.at(9_000).audio(u32::MAX - 10, &[0xaf, 1, 2]);
        run.at(10_300).audio(12, &[0xaf, 1, 2]);
        assert_eq!((run.tally.audio_received, run.tally.audio_missing), (7, 7));
    }

    #[test]
    fn bytes_count_by_when_they_came() {
        let mut run = Run::new();
        run.at(9_999).bytes(1);
        run.at(10_000).bytes(10);
        run.at(20_000).bytes(100);
        assert_eq!(run.tally.bytes_received, 10);
    }
}
