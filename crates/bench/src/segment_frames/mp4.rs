//! fMP4 (ISO/IEC 14496-12): the first bytes of each video sample, by the sizes in `moof`.
//!
//! ```text
//! init     ftyp moov( mvhd trak( tkhd mdia( … hdlr … )) … )
//! segment  [styp] [sidx] moof( mfhd traf( tfhd tfdt trun ) … ) mdat( samples ) moof …
//! ```

use std::collections::VecDeque;

use super::OnFrame;
use crate::stamp::{Head, Stamp};

/// Longest `moof` that is read, in bytes.
const MOOF_BYTES: usize = 4 << 20;

/// One segment.
#[derive(Debug)]
pub(super) struct Frames {
    video_tracks: Vec<u32>,
    /// Bytes read so far.
    position: u64,
    state: State,
    /// The video samples to come: where, and how long.
    samples: VecDeque<(u64, u64)>,
    /// The sample that is being read.
    head: Head,
}

#[derive(Debug)]
enum State {
    /// A box header as far as it is there.
    Header(Vec<u8>),
    /// A `moof`, where it began, and its length.
    Moof(Vec<u8>, u64, usize),
    /// Bytes left of `mdat`.
    Media(u64),
    /// Bytes left of a box that is stepped over.
    Other(u64),
}

impl Frames {
    pub(super) fn new(video_tracks: Vec<u32>) -> Self {
        Self {
            video_tracks,
            position: 0,
            state: State::Header(Vec::new()),
            samples: VecDeque::new(),
            head: Head::default(),
        }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], on_frame: &mut OnFrame<'_>) {
        while !bytes.is_empty() {
            let took = match &mut self.state {
                State::Header(header) => {
                    header.push(bytes[0]);
                    1
                }
                State::Moof(moof, _, len) => {
                    let took = (*len - moof.len()).min(bytes.len());
                    moof.extend_from_slice(&bytes[..took]);
                    took
                }
                State::Media(left) | State::Other(left) => {
                    let took = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    *left -= took as u64;
                    took
                }
            };
            let (part, rest) = bytes.split_at(took);
            bytes = rest;
            if let State::Media(_) = self.state {
                self.media(part, on_frame);
            }
            self.position += took as u64;
            self.advance();
        }
    }

    /// Goes on when a box, or its header, is complete.
    fn advance(&mut self) {
        match &mut self.state {
            State::Header(header) => {
                let Some((name, size, header_len)) = box_header(header) else {
                    return;
                };
                let begin = self.position - header_len as u64;
                let body = size.map_or(u64::MAX, |size| size.saturating_sub(header_len as u64));
                self.state = match (&name, usize::try_from(body)) {
                    (b"moof", Ok(len)) if len <= MOOF_BYTES => State::Moof(Vec::new(), begin, len),
                    (b"mdat", _) => State::Media(body),
                    _ => State::Other(body),
                };
            }
            State::Moof(moof, begin, len) if moof.len() == *len => {
                self.samples = samples(moof, *begin, &self.video_tracks);
                self.state = State::Header(Vec::new());
            }
            State::Moof(..) => {}
            State::Media(_) | State::Other(_) => {}
        }
        if let State::Media(0) | State::Other(0) = self.state {
            self.state = State::Header(Vec::new());
        }
    }

    fn media(&mut self, part: &[u8], on_frame: &mut OnFrame<'_>) {
        let end = self.position + part.len() as u64;
        while let Some(&(at, len)) = self.samples.front() {
            if at >= end {
                return;
            }
            let within = |position: u64| {
                let offset = position.clamp(self.position, end) - self.position;
                usize::try_from(offset).unwrap_or(part.len())
            };
            self.head.push(&part[within(at)..within(at + len)]);
            if at + len > end {
                return;
            }
            on_frame(Stamp::find(self.head.bytes()));
            self.head.clear();
            self.samples.pop_front();
        }
    }
}

/// Name, size with header (`None`: to the end of the file), length of the header.
fn box_header(bytes: &[u8]) -> Option<([u8; 4], Option<u64>, usize)> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    Some(match u32::from_be_bytes(*size) {
        0 => (*name, None, 8),
        1 => {
            let (size, _) = rest.split_first_chunk()?;
            (*name, Some(u64::from_be_bytes(*size)), 16)
        }
        size => (*name, Some(size.into()), 8),
    })
}

/// The boxes within a box's body; ends where they make no sense.
fn boxes(mut body: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (name, size, header_len) = box_header(body)?;
        let size = size.map_or(body.len(), |size| {
            usize::try_from(size).unwrap_or(usize::MAX)
        });
        let content = body.get(header_len..size)?;
        body = body.get(size..)?;
        Some((name, content))
    })
}

fn child<'a>(body: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(body)
        .find(|(found, _)| found == name)
        .map(|(_, body)| body)
}

fn be32(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*body.get(at..)?.first_chunk()?))
}

/// Ids of the video tracks of an init segment.
pub(super) fn video_tracks(init: &[u8]) -> Vec<u32> {
    let moov = child(init, b"moov").unwrap_or_default();
    let tracks = boxes(moov).filter(|(name, _)| name == b"trak");
    tracks
        .filter_map(|(_, trak)| {
            let tkhd = child(trak, b"tkhd")?;
            // After version and flags: two times of 4 or 8 bytes.
            let id = be32(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 })?;
            let hdlr = child(child(trak, b"mdia")?, b"hdlr")?;
            (hdlr.get(8..12) == Some(b"vide")).then_some(id)
        })
        .collect()
}

/// Where the video samples of a `moof` that begins at `begin` lie, in order.
fn samples(moof: &[u8], begin: u64, video_tracks: &[u32]) -> VecDeque<(u64, u64)> {
    let mut found = Vec::new();
    for (_, traf) in boxes(moof).filter(|(name, _)| name == b"traf") {
        let Some(tfhd) = child(traf, b"tfhd") else {
            continue;
        };
        let (Some(flags), Some(track)) = (be32(tfhd, 0), be32(tfhd, 4)) else {
            continue;
        };
        if !video_tracks.contains(&track) {
            continue;
        }
        // base-data-offset, sample-description-index, default duration, default size (§8.8.7).
        let mut at = 8;
        let mut base = begin;
        if flags & 1 != 0 {
            let wide = tfhd.get(at..).and_then(<[u8]>::first_chunk);
            base = wide.map_or(begin, |wide| u64::from_be_bytes(*wide));
            at += 8;
        }
        at += if flags & 2 != 0 { 4 } else { 0 };
        at += if flags & 8 != 0 { 4 } else { 0 };
        let default_len = if flags & 0x10 != 0 {
            be32(tfhd, at)
        } else {
            None
        };
        let mut next = base;
        for (_, trun) in boxes(traf).filter(|(name, _)| name == b"trun") {
            run(trun, base, default_len, &mut next, &mut found);
        }
    }
    found.sort_unstable();
    found.into()
}

/// The samples of a `trun` (§8.8.8).
fn run(
    trun: &[u8],
    base: u64,
    default_len: Option<u32>,
    next: &mut u64,
    found: &mut Vec<(u64, u64)>,
) {
    let (Some(flags), Some(count)) = (be32(trun, 0), be32(trun, 4)) else {
        return;
    };
    let mut at = 8;
    if flags & 1 != 0 {
        let offset = be32(trun, at).map_or(0, u32::cast_signed);
        *next = base.saturating_add_signed(offset.into());
        at += 4;
    }
    at += if flags & 4 != 0 { 4 } else { 0 };
    let is_set = |flag: u32| usize::from(flags & flag != 0);
    // Duration, size, flags, composition offset.
    let entry = 4 * (is_set(0x100) + is_set(0x200) + is_set(0x400) + is_set(0x800));
    let len_at = 4 * is_set(0x100);
    for _ in 0..count {
        let len = match flags & 0x200 {
            0 => default_len,
            _ => be32(trun, at + len_at),
        };
        let Some(len) = len else { return };
        found.push((*next, len.into()));
        *next += u64::from(len);
        at += entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video_tag::Codec;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut out = ((body.len() + 8) as u32).to_be_bytes().to_vec();
        out.extend_from_slice(name);
        out.extend_from_slice(body);
        out
    }

    fn numbers(all: &[u32]) -> Vec<u8> {
        all.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn init() -> Vec<u8> {
        let trak = |id: u32, kind: &[u8; 4]| {
            let tkhd = boxed(b"tkhd", &numbers(&[7, 0, 0, id, 0, 0]));
            let mut hdlr = numbers(&[0, 0]);
            hdlr.extend_from_slice(kind);
            let mdia = boxed(
                b"mdia",
                &[boxed(b"mdhd", &[0; 20]), boxed(b"hdlr", &hdlr)].concat(),
            );
            boxed(b"trak", &[tkhd, mdia].concat())
        };
        let moov = [
            boxed(b"mvhd", &[0; 100]),
            trak(1, b"soun"),
            trak(2, b"vide"),
        ]
        .concat();
        [boxed(b"ftyp", b"iso6"), boxed(b"moov", &moov)].concat()
    }

    fn sample(frame: Option<u32>, filler: usize) -> Vec<u8> {
        let mut out = vec![0x11; filler];
        if let Some(frame) = frame {
            let stamp = Stamp {
                stream: 1,
                frame,
                sent_ns: 5,
            };
            stamp.write(Codec::Hevc, &mut out);
        }
        out.extend([0x22; 300]);
        out
    }

    /// One fragment: audio first, then the video samples; sizes each, or the same for all.
    fn fragment(video: &[Vec<u8>], same_size: bool) -> Vec<u8> {
        let audio = [0x33; 77];
        let moof = |offset: u32| {
            let audio_traf = [
                boxed(b"tfhd", &numbers(&[0x02_0010, 1, 77])),
                boxed(b"trun", &numbers(&[1, 1, offset])),
            ]
            .concat();
            let sizes = video
                .iter()
                .flat_map(|sample| numbers(&[40, sample.len() as u32]));
            let video_traf = if same_size {
                [
                    boxed(
                        b"tfhd",
                        &numbers(&[0x02_0018, 2, 40, video[0].len() as u32]),
                    ),
                    boxed(b"trun", &numbers(&[1, video.len() as u32, offset + 77])),
                ]
            } else {
                let head = numbers(&[0x305, video.len() as u32, offset + 77, 0]);
                [
                    boxed(b"tfhd", &numbers(&[0x02_0000, 2])),
                    boxed(b"trun", &[head, sizes.collect()].concat()),
                ]
            }
            .concat();
            let trafs = [boxed(b"traf", &audio_traf), boxed(b"traf", &video_traf)].concat();
            boxed(b"moof", &[boxed(b"mfhd", &[0; 8]), trafs].concat())
        };
        let offset = moof(0).len() as u32 + 8;
        let mdat = boxed(b"mdat", &[audio.to_vec(), video.concat()].concat());
        [moof(offset), mdat].concat()
    }

    #[test]
    fn any_split_shows_each_video_sample_once() {
        let one = [sample(Some(4), 0), sample(None, 9_000), sample(Some(5), 50)];
        let two = [sample(Some(6), 3), sample(Some(7), 3)];
        let bytes = [
            boxed(b"styp", b"msdh"),
            fragment(&one, false),
            boxed(b"emsg", &[1; 30]),
            fragment(&two, true),
        ]
        .concat();
        for size in [1, 7, 100, 1_000, bytes.len()] {
            let (mut frames, mut seen) = (Frames::new(video_tracks(&init())), Vec::new());
            for part in bytes.chunks(size) {
                frames.feed(part, &mut |stamp| seen.push(stamp.map(|stamp| stamp.frame)));
            }
            assert_eq!(
                seen,
                [Some(4), None, Some(5), Some(6), Some(7)],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_no_mp4_shows_nothing() {
        let mut frames = Frames::new(vec![1]);
        frames.feed(
            b"<html><body>not here</body></html>",
            &mut |_| unreachable!(),
        );
        assert!(video_tracks(b"\0\0\0\x08moov").is_empty());
    }
}
