//! One segment: its bytes to the demuxer of its container, and what that says.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use remux::{Damage, Event, LeftOut, mp4, ts};

use super::Step;
use super::file::File;

/// Bytes that tell the container.
const SNIFF_LEN: usize = 8;

/// A segment that is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) file: File,
    init: Option<Bytes>,
    /// The next byte of the file, for the containers that are read from front to back.
    at: u64,
    media: Media,
}

#[derive(Debug)]
enum Media {
    /// The first bytes are to come.
    Unknown(BytesMut),
    Ts {
        /// Bytes that the demuxer was given before this segment.
        before: u64,
        flushed: bool,
    },
    Mp4(Box<mp4::Demuxer>),
}

/// What a segment says next.
#[derive(Debug)]
pub(super) enum Told {
    Ask(Step),
    Event(Event),
    /// It is of a kind that is not read, or cannot be read on.
    Failed(String),
    End,
}

/// The MPEG-TS demuxer of a playlist, which goes on from segment to segment.
#[derive(Debug, Default)]
pub(super) struct TsLane {
    pub(super) demuxer: ts::Demuxer,
    pushed: u64,
}

impl Reading {
    /// A segment whose file is to be opened.
    pub(super) fn new(file: File, init: Option<Bytes>) -> Self {
        Self {
            file,
            init,
            at: 0,
            media: Media::Unknown(BytesMut::new()),
        }
    }

    /// The file has so many bytes; those that are missing.
    pub(super) fn opened(&mut self, len: u64) -> Option<Range<u64>> {
        let missing = self.file.opened(len);
        self.at = self.file.range().start;
        if let Some(init) = self.init.as_ref().filter(|init| !is_ts(init)) {
            self.media = mp4_of(init, &self.file.range());
        }
        missing
    }

    /// Tracks of this segment that are not given.
    pub(super) fn left_out<'a>(&'a self, ts: &'a TsLane) -> &'a [LeftOut] {
        match &self.media {
            Media::Mp4(demuxer) => demuxer.left_out(),
            Media::Ts { .. } => ts.demuxer.left_out(),
            Media::Unknown(_) => &[],
        }
    }

    /// Whether its tracks are all there are from here on, and not one more list of the same demuxer.
    pub(super) fn is_mp4(&self) -> bool {
        matches!(self.media, Media::Mp4(_))
    }

    pub(super) fn poll(&mut self, ts: &mut TsLane) -> Told {
        if let Some(open) = self.file.open() {
            return Told::Ask(open);
        }
        let range = self.file.range();
        if range.is_empty() {
            return Told::End;
        }
        match &mut self.media {
            Media::Unknown(_) => Told::Ask(self.file.read(self.at)),
            Media::Ts { before, flushed } => match ts.demuxer.poll() {
                Ok(Some(Event::Damage(damage))) => {
                    Told::Event(Event::Damage(moved(damage, *before, range.start)))
                }
                Ok(Some(event)) => Told::Event(event),
                Ok(None) if self.at < range.end => Told::Ask(self.file.read(self.at)),
                Ok(None) if !*flushed => {
                    ts.demuxer.boundary();
                    *flushed = true;
                    self.poll(ts)
                }
                Ok(None) => Told::End,
                Err(_) => {
                    *ts = TsLane::default();
                    Told::Failed("neither MPEG-TS nor fMP4".to_owned())
                }
            },
            Media::Mp4(demuxer) => loop {
                let init = self.init.as_deref().unwrap_or_default();
                let init_len = init.len() as u64;
                match demuxer.poll() {
                    Ok(mp4::Step::Read { offset, len }) if offset < init_len => {
                        let at = usize::try_from(offset).unwrap_or(usize::MAX);
                        let end = at.saturating_add(len).min(init.len());
                        let bytes = self.init.as_ref().map(|init| init.slice(at..end));
                        demuxer.push(bytes.unwrap_or_default());
                    }
                    Ok(mp4::Step::Read { offset, len }) => {
                        return Told::Ask(Step::Read {
                            path: self.file.path().clone(),
                            offset: range.start + (offset - init_len),
                            len,
                        });
                    }
                    Ok(mp4::Step::Event(Event::Damage(damage))) => {
                        return Told::Event(Event::Damage(moved(damage, init_len, range.start)));
                    }
                    Ok(mp4::Step::Event(event)) => return Told::Event(event),
                    Ok(mp4::Step::End) => return Told::End,
                    Err(error) if init_len > 0 => {
                        let what = format!("{error}, counted from the start of its init segment");
                        return Told::Failed(what);
                    }
                    Err(error) => return Told::Failed(error.to_string()),
                }
            },
        }
    }

    pub(super) fn push(&mut self, bytes: Bytes, ts: &mut TsLane) -> Result<(), String> {
        let range = self.file.range();
        match &mut self.media {
            Media::Unknown(head) => {
                let ends = bytes.is_empty();
                let whole = match head.is_empty() {
                    true => bytes,
                    false => {
                        head.extend_from_slice(&bytes);
                        head.clone().freeze()
                    }
                };
                self.at = range.start + whole.len() as u64;
                if whole.len() < SNIFF_LEN && !ends && self.at < range.end {
                    *head = whole.into();
                    return Ok(());
                }
                self.begin(whole, ts)
            }
            Media::Ts { .. } => {
                let wanted = usize::try_from(range.end - self.at).unwrap_or(usize::MAX);
                // A file that became shorter while it was read ends here.
                let ends = bytes.is_empty();
                let bytes = bytes.slice(..wanted.min(bytes.len()));
                self.at = if ends {
                    range.end
                } else {
                    self.at + bytes.len() as u64
                };
                ts.push(bytes);
                Ok(())
            }
            Media::Mp4(demuxer) => {
                demuxer.push(bytes);
                Ok(())
            }
        }
    }

    /// The first bytes tell what it is.
    fn begin(&mut self, head: Bytes, ts: &mut TsLane) -> Result<(), String> {
        let range = self.file.range();
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let head = head.slice(..wanted.min(head.len()));
        let kind = head.get(4..8).unwrap_or_default();
        match (&*head, kind) {
            (_, b"ftyp" | b"styp" | b"moov" | b"moof" | b"sidx" | b"emsg" | b"prft") => {
                self.init = None;
                self.media = mp4_of(&Bytes::new(), &range);
                Ok(())
            }
            // MPEG audio, ADTS and AC-3, with or without the ID3 tag that has their time (§3.4).
            ([b'I', b'D', b'3', ..] | [0xff, 0xe0..=0xff, ..] | [0x0b, 0x77, ..], _) => {
                Err("packed audio, which is not read".to_owned())
            }
            ([b'W', b'E', b'B', b'V', b'T', b'T', ..], _) => {
                Err("subtitles, which are not read".to_owned())
            }
            _ => {
                // Tables alone (§3.2).
                if let Some(init) = self.init.take() {
                    ts.push(init);
                }
                self.media = Media::Ts {
                    before: ts.pushed,
                    flushed: false,
                };
                ts.push(head);
                Ok(())
            }
        }
    }
}

impl TsLane {
    fn push(&mut self, bytes: Bytes) {
        self.pushed += bytes.len() as u64;
        self.demuxer.push(bytes);
    }
}

/// Whether an init segment is of MPEG-TS: begins with its sync byte.
fn is_ts(init: &[u8]) -> bool {
    init.first() == Some(&0x47)
}

/// A demuxer of a segment behind its init segment, as if both were one file.
fn mp4_of(init: &Bytes, range: &Range<u64>) -> Media {
    let len = init.len() as u64 + (range.end - range.start);
    Media::Mp4(Box::new(mp4::Demuxer::new(mp4::Input::File { len })))
}

/// Damage of bytes counted from `before` as bytes of the file from `start`.
fn moved(damage: Damage, before: u64, start: u64) -> Damage {
    let place = |at: u64| start + at.saturating_sub(before);
    Damage {
        bytes: place(damage.bytes.start)..place(damage.bytes.end),
        ..damage
    }
}
