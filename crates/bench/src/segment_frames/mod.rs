//! The stamps in HLS segments, found while they pass by: MPEG-TS or fMP4.

mod mp4;
mod ts;

use crate::stamp::Stamp;

/// What is told of each picture: its stamp, if it has one.
pub(crate) type OnFrame<'a> = dyn FnMut(Option<Stamp>) + 'a;

/// One viewer's segments, one after the other.
#[derive(Debug, Default)]
pub(crate) struct SegmentFrames {
    /// Track ids of video, from the init segment.
    video_tracks: Vec<u32>,
    segment: Segment,
}

#[derive(Debug, Default)]
enum Segment {
    /// Its first byte will tell.
    #[default]
    Unknown,
    Ts(ts::Frames),
    Mp4(mp4::Frames),
}

impl SegmentFrames {
    /// Takes an init segment (fMP4).
    pub(crate) fn init(&mut self, bytes: &[u8]) {
        self.video_tracks = mp4::video_tracks(bytes);
    }

    /// A new segment begins.
    pub(crate) fn begin(&mut self) {
        self.segment = Segment::Unknown;
    }

    /// Takes more of the segment, in any split.
    pub(crate) fn feed(&mut self, bytes: &[u8], on_frame: &mut OnFrame<'_>) {
        if let (Segment::Unknown, Some(&first)) = (&self.segment, bytes.first()) {
            self.segment = match first {
                ts::SYNC => Segment::Ts(ts::Frames::default()),
                _ => Segment::Mp4(mp4::Frames::new(self.video_tracks.clone())),
            };
        }
        match &mut self.segment {
            Segment::Unknown => {}
            Segment::Ts(frames) => frames.feed(bytes, on_frame),
            Segment::Mp4(frames) => frames.feed(bytes, on_frame),
        }
    }

    /// The segment is complete.
    pub(crate) fn end(&mut self, on_frame: &mut OnFrame<'_>) {
        if let Segment::Ts(frames) = &mut self.segment {
            frames.end(on_frame);
        }
        self.segment = Segment::Unknown;
    }
}
