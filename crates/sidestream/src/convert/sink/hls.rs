//! HLS folders: a playlist (VOD) and segments beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hls::WallTime;
use hls::folder::text::{self, Head, Kind};
use media::{AccessUnit, DataMessage, Dts, TrackList};
use remux::{LeftOut, TimedMetadata, mp4};

use super::dated::Dated;
use super::fmp4::Fragments;
use super::ts::Packets;
use super::{Finished, Layout, Sink, advise, cutting, ninety_khz};
use crate::convert::Error;
use crate::convert::output::{Output, refuse_existing};

/// Bytes of packets that are gathered before they are written.
const GATHERED: usize = 1 << 18;

/// Names in the folder of a playlist.
pub(in crate::convert) struct Folder {
    playlist: PathBuf,
    stem: String,
    overwrite: bool,
    /// Segments that were written; they go when the playlist does not come to be.
    written: Vec<PathBuf>,
}

impl Folder {
    pub(in crate::convert) fn create(playlist: &Path, overwrite: bool) -> Result<Self, Error> {
        refuse_existing(playlist, overwrite)?;
        let stem = playlist.file_stem().unwrap_or_default();
        Ok(Self {
            playlist: playlist.to_owned(),
            stem: stem.to_string_lossy().into_owned(),
            overwrite,
            written: Vec::new(),
        })
    }

    /// A file beside the playlist, and its name for the playlist.
    fn file(&mut self, tail: &str) -> Result<(Output, String), Error> {
        let name = format!("{}-{tail}", self.stem);
        let path = self.playlist.with_file_name(&name);
        let output = Output::create(&path, self.overwrite)?;
        self.written.push(path);
        Ok((output, name))
    }

    fn finish(mut self, playlist: &str) -> Result<u64, Error> {
        let mut output = Output::create(&self.playlist, self.overwrite)?;
        output.write(playlist.as_bytes())?;
        let bytes = output.finish()?;
        self.written.clear();
        Ok(bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for path in &self.written {
            // Nobody is left to be told when this fails.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The muxer of the segments.
enum Mux {
    Ts(Box<Packets>),
    Fmp4(Box<Fragments>),
}

/// Writes segments and, at the end, the playlist.
pub(super) struct Hls {
    folder: Folder,
    mux: Mux,
    /// Length that segments have at least, in ticks of 90 kHz.
    shortest: i64,
    tracks: Arc<TrackList>,
    cutting: Option<Arc<media::Track>>,
    open: Option<Segment>,
    lines: String,
    longest: i64,
    count: u32,
    inits: u32,
    bytes: u64,
    /// The next segment does not continue the last one.
    breaks: bool,
    /// When the first unit was, where that is known.
    date: Option<WallTime>,
    dated: Dated,
}

/// The segment that is written.
struct Segment {
    output: Output,
    name: String,
    /// Of its first unit, in ticks of 90 kHz.
    start: i64,
    /// Of the newest unit of all tracks.
    newest: i64,
    /// Of the last unit of the cutting track, and how long the one before it was.
    last: Option<i64>,
    step: i64,
}

impl Hls {
    pub(super) fn new(folder: Folder, is_ts: bool, layout: Layout) -> Self {
        let shortest = i64::try_from(layout.segment.as_millis()).unwrap_or(i64::MAX / 90) * 90;
        Self {
            folder,
            mux: match is_ts {
                true => Mux::Ts(Box::new(Packets::new())),
                false => Mux::Fmp4(Box::new(Fragments::new())),
            },
            shortest,
            tracks: Arc::default(),
            cutting: None,
            open: None,
            lines: String::new(),
            longest: 0,
            count: 0,
            inits: 0,
            bytes: 0,
            breaks: false,
            date: layout.date,
            dated: Dated::new(layout.date),
        }
    }

    /// Ends the open segment; `next` is the cutting track's unit behind it.
    fn end(&mut self, next: Option<Dts>) -> Result<(), Error> {
        let Some(mut segment) = self.open.take() else {
            return Ok(());
        };
        match &mut self.mux {
            Mux::Ts(packets) => {
                segment.output.write(&packets.bytes)?;
                packets.bytes.clear();
            }
            Mux::Fmp4(fragments) => {
                let cut = fragments.cut(next);
                let slices = cut.map_err(|error| Error::output(segment.output.path(), error))?;
                for slice in slices {
                    segment.output.append(slice)?;
                }
            }
        }
        let next = self.cutting.as_ref().zip(next);
        let end = match next {
            Some((track, dts)) => ninety_khz(track, dts.0),
            None => segment.last.map_or(segment.newest, |last| {
                segment.newest.max(last + segment.step)
            }),
        };
        let len = (end - segment.start).max(0);
        self.longest = self.longest.max(len);
        self.dated.end(self.lines.len(), segment.start, len);
        text::segment(&mut self.lines, &segment.name, duration(len));
        self.bytes += segment.output.finish()?;
        Ok(())
    }

    fn begin(&mut self, start: i64) -> Result<(), Error> {
        if std::mem::take(&mut self.breaks) && self.count > 0 {
            text::discontinuity(&mut self.lines);
        }
        self.dated.begin(start);
        self.count += 1;
        let extension = match &mut self.mux {
            Mux::Ts(packets) => {
                packets.begin();
                "ts"
            }
            Mux::Fmp4(_) => "m4s",
        };
        let (output, name) = self
            .folder
            .file(&format!("{:05}.{extension}", self.count))?;
        self.open = Some(Segment {
            output,
            name,
            start,
            newest: start,
            last: None,
            step: 0,
        });
        Ok(())
    }

    fn init(&mut self, init: Bytes) -> Result<(), Error> {
        self.inits += 1;
        let tail = match self.inits {
            1 => "init.mp4".to_owned(),
            n => format!("init{n}.mp4"),
        };
        let (mut output, name) = self.folder.file(&tail)?;
        output.append(init)?;
        self.bytes += output.finish()?;
        if std::mem::take(&mut self.breaks) && self.count > 0 {
            text::discontinuity(&mut self.lines);
        }
        text::map(&mut self.lines, &name);
        Ok(())
    }

    /// The playlist, and how many cues it cannot say.
    fn playlist(&mut self) -> (String, usize) {
        let mut out = String::new();
        text::head(
            &mut out,
            &Head {
                kind: Kind::Vod,
                is_fmp4: matches!(self.mux, Mux::Fmp4(_)),
                is_independent: self.tracks.video().is_some(),
                target_s: text::rounded_s(duration(self.longest)),
            },
        );
        let dated = std::mem::replace(&mut self.dated, Dated::new(None));
        match self.date {
            Some(_) => (out + &dated.lines(&self.lines) + text::END, 0),
            None => (out + &self.lines + text::END, dated.cues()),
        }
    }
}

/// A length in ticks of 90 kHz, to the nearest microsecond.
fn duration(ticks: i64) -> Duration {
    Duration::from_micros((u64::try_from(ticks).unwrap_or(0) * 100 + 4) / 9)
}

impl Sink for Hls {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        self.end(None)?;
        self.breaks = self.count > 0;
        self.tracks = Arc::clone(tracks);
        match &mut self.mux {
            Mux::Ts(packets) => {
                let left_out = packets.set_tracks(tracks);
                self.cutting = cutting(tracks, |track| packets.carries(track.id));
                Ok(advise(left_out, "write MP4 segments (--to hls), or .flv"))
            }
            Mux::Fmp4(fragments) => {
                let (init, left_out) = fragments.set_tracks(tracks);
                self.cutting = fragments.cutting().cloned();
                if let Some(init) = init {
                    self.init(init)?;
                }
                Ok(advise(left_out, "write .flv"))
            }
        }
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        let Some(track) = self.tracks.get(unit.track) else {
            return Ok(());
        };
        let time = ninety_khz(track, unit.dts.0);
        let cuts = self
            .cutting
            .as_ref()
            .is_some_and(|cutting| cutting.id == unit.track);
        let len = self.open.as_ref().map_or(0, |open| time - open.start);
        if cuts && unit.is_random_access() && len >= self.shortest {
            self.end(Some(unit.dts))?;
        }
        if self.open.is_none() {
            self.begin(time)?;
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.newest = open.newest.max(time);
        if cuts && let Some(last) = open.last.replace(time) {
            open.step = time - last;
        }
        match &mut self.mux {
            Mux::Ts(packets) => {
                packets.unit(&unit);
                if packets.bytes.len() >= GATHERED {
                    open.output.write(&packets.bytes)?;
                    packets.bytes.clear();
                }
            }
            Mux::Fmp4(fragments) => {
                // A long segment has several fragments.
                if fragments.is_full() {
                    let cut = fragments.cut(None);
                    let slices = cut.map_err(|error| Error::output(open.output.path(), error))?;
                    for slice in slices {
                        open.output.append(slice)?;
                    }
                }
                fragments.push(unit);
            }
        }
        Ok(())
    }

    fn data(&mut self, message: &Arc<DataMessage>) -> Result<(), Error> {
        self.dated.message(message);
        Ok(())
    }

    fn timed(&mut self, metadata: &Arc<TimedMetadata>) -> Result<(), Error> {
        self.dated.timed(metadata);
        match &mut self.mux {
            Mux::Ts(packets) if self.open.is_some() => packets.timed(metadata),
            // Between two segments there is no place.
            Mux::Ts(_) => {}
            Mux::Fmp4(fragments) => fragments.message(mp4::event_message(metadata, 0)),
        }
        Ok(())
    }

    fn discontinuity(&mut self) -> Result<(), Error> {
        self.end(None)?;
        self.breaks = true;
        self.dated.discontinuity();
        if let Mux::Ts(packets) = &mut self.mux {
            packets.discontinuity();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, Error> {
        self.end(None)?;
        let (playlist, undated_cues) = self.playlist();
        let damaged_units = match &self.mux {
            Mux::Ts(packets) => packets.damaged,
            Mux::Fmp4(fragments) => fragments.damaged(),
        };
        let bytes = self.bytes + self.folder.finish(&playlist)?;
        Ok(Finished {
            bytes,
            damaged_units,
            undated_cues,
        })
    }
}
