//! What was counted: by one thread, and put together by the run.

use std::collections::BTreeMap;

use crate::histogram::Histogram;

/// Everything that one thread counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// From the publisher's write to the viewer's read, frames of the window.
    pub(crate) latency: Histogram,
    /// From the start of a connection to the first key frame; HLS: to the first segment.
    pub(crate) join: Histogram,
    /// From the start of a connection to the first audio or video of any kind.
    pub(crate) first_media: Histogram,
    /// How late messages of the window were sent.
    pub(crate) late: Histogram,
    pub(crate) playlist: Histogram,
    pub(crate) segment: Histogram,
    /// From the publisher's write of the newest picture in a segment or part to the end of its fetch.
    pub(crate) edge: Histogram,
    /// By the number of the stream.
    pub(crate) streams: BTreeMap<u32, StreamTally>,
    /// The viewers that are expected to receive every frame.
    pub(crate) viewers: Vec<ViewerTally>,
    /// Bytes that viewers read in the window, as they came from the socket.
    pub(crate) bytes_received: u64,
    /// Bytes of media that publishers sent in the window.
    pub(crate) bytes_sent: u64,
    /// Frame numbers missing between two that a viewer saw, over the whole run.
    pub(crate) skipped: u64,
    /// Frames that a viewer saw again.
    pub(crate) repeated: u64,
    /// Pictures without a stamp: the server changed them, or they are somebody else's.
    pub(crate) unstamped: u64,
    /// Frames of another stream than the one that was asked for.
    pub(crate) strange: u64,
    /// Frames that were sent before their viewer came (a GOP cache).
    pub(crate) cached: u64,
    /// Audio messages received in the window.
    pub(crate) audio_received: u64,
    /// Audio messages missing by timestamps, in the window.
    pub(crate) audio_missing: u64,
    pub(crate) playlists: u64,
    pub(crate) segments: u64,
    /// Segments that left the playlist before they were fetched.
    pub(crate) segments_missed: u64,
    /// Answers that were not 200.
    pub(crate) http_errors: u64,
    /// Joins of the window that came as far as a key frame (churn).
    pub(crate) joins: u64,
    pub(crate) joins_failed: u64,
    /// Stalled viewers whose connection the server closed.
    pub(crate) stalled_closed: u64,
    /// What went wrong, and how often.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// What was counted of a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct StreamTally {
    /// Frames stamped in the window.
    pub(crate) video_sent: u64,
    pub(crate) audio_sent: u64,
    /// First and last frame of the window that any viewer saw.
    pub(crate) seen: Option<(u32, u32)>,
}

/// What was counted of a viewer that is expected to receive.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ViewerTally {
    pub(crate) stream: u32,
    /// Frames of the window.
    pub(crate) received: u64,
}

impl Tally {
    pub(crate) fn fail(&mut self, who: &str, error: &crate::Error) {
        *self.failures.entry(format!("{who}: {error}")).or_default() += 1;
    }

    /// Takes what another thread counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.join, &other.join),
            (&mut self.first_media, &other.first_media),
            (&mut self.late, &other.late),
            (&mut self.playlist, &other.playlist),
            (&mut self.segment, &other.segment),
            (&mut self.edge, &other.edge),
        ] {
            mine.merge(theirs);
        }
        for (stream, theirs) in &other.streams {
            let mine = self.streams.entry(*stream).or_default();
            mine.video_sent += theirs.video_sent;
            mine.audio_sent += theirs.audio_sent;
            if let Some((first, last)) = theirs.seen {
                mine.see(first);
                mine.see(last);
            }
        }
        self.viewers.extend_from_slice(&other.viewers);
        for (mine, theirs) in [
            (&mut self.bytes_received, other.bytes_received),
            (&mut self.bytes_sent, other.bytes_sent),
            (&mut self.skipped, other.skipped),
            (&mut self.repeated, other.repeated),
            (&mut self.unstamped, other.unstamped),
            (&mut self.strange, other.strange),
            (&mut self.cached, other.cached),
            (&mut self.audio_received, other.audio_received),
            (&mut self.audio_missing, other.audio_missing),
            (&mut self.playlists, other.playlists),
            (&mut self.segments, other.segments),
            (&mut self.segments_missed, other.segments_missed),
            (&mut self.http_errors, other.http_errors),
            (&mut self.joins, other.joins),
            (&mut self.joins_failed, other.joins_failed),
            (&mut self.stalled_closed, other.stalled_closed),
        ] {
            *mine += theirs;
        }
        for (what, count) in &other.failures {
            *self.failures.entry(what.clone()).or_default() += count;
        }
    }

    /// Frames of the window that its viewers received.
    pub(crate) fn received(&self) -> u64 {
        self.viewers.iter().map(|viewer| viewer.received).sum()
    }

    /// Frames that should have been received, and those that were, both of the window.
    ///
    /// A stream that another process publishes is known by what its viewers saw of it.
    pub(crate) fn frames(&self) -> Frames {
        let mut frames = Frames::default();
        for viewer in &self.viewers {
            let expected = self
                .streams
                .get(&viewer.stream)
                .map_or(0, StreamTally::expected);
            let lost = expected.saturating_sub(viewer.received);
            frames.expected += expected;
            frames.received += viewer.received;
            frames.lost += lost;
            frames.worst_viewer_lost = frames.worst_viewer_lost.max(lost);
            frames.viewers_with_loss += u64::from(lost > 0);
        }
        frames
    }
}

/// Frames of the window, over all viewers that read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// Frames sent, times their viewers.
    pub expected: u64,
    /// Frames received.
    pub received: u64,
    /// Frames expected and not received.
    pub lost: u64,
    /// Viewers that lost any.
    pub viewers_with_loss: u64,
    /// What the viewer lost that lost most.
    pub worst_viewer_lost: u64,
}

impl StreamTally {
    pub(crate) fn see(&mut self, frame: u32) {
        let (first, last) = self.seen.unwrap_or((frame, frame));
        self.seen = Some((first.min(frame), last.max(frame)));
    }

    fn expected(&self) -> u64 {
        match (self.video_sent, self.seen) {
            (0, Some((first, last))) => u64::from(last - first) + 1,
            (sent, _) => sent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(stream: u32, received: u64) -> ViewerTally {
        ViewerTally { stream, received }
    }

    #[test]
    fn frames_not_received_are_lost_also_for_viewers_that_never_came() {
        let mut one = Tally::default();
        one.streams.entry(0).or_default().video_sent = 250;
        one.viewers.push(viewer(0, 250));
        one.viewers.push(viewer(0, 240));
        let mut two = Tally::default();
        two.streams.entry(1).or_default().video_sent = 100;
        two.viewers.push(viewer(1, 100));
        two.viewers.push(viewer(1, 0));
        one.merge(&two);
        assert_eq!(
            one.frames(),
            Frames {
                expected: 250 * 2 + 100 * 2,
                received: 590,
                lost: 110,
                viewers_with_loss: 2,
                worst_viewer_lost: 100,
            }
        );
    }

    #[test]
    fn a_stream_published_elsewhere_is_known_by_what_any_viewer_saw() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.streams.entry(0).or_default().see(105);
        one.streams.entry(0).or_default().see(100);
        one.viewers.push(viewer(0, 6));
        two.streams.entry(0).or_default().see(109);
        two.viewers.push(viewer(0, 9));
        one.merge(&two);
        let frames = one.frames();
        assert_eq!((frames.expected, frames.received, frames.lost), (20, 15, 5));
    }
}
