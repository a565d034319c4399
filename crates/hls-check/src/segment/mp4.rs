//! What of an fMP4 segment a demuxer does not tell: its boxes, and the times as they are written.

use std::collections::BTreeMap;

/// Boxes in a box. Threat: a segment of nothing but boxes of eight bytes.
const MAX_BOXES: usize = 100_000;

type Kind = [u8; 4];

/// An init segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Init {
    pub(crate) has_ftyp: bool,
    pub(crate) has_moov: bool,
    pub(crate) has_media: bool,
    /// By the track's number.
    pub(crate) tracks: BTreeMap<u32, InitTrack>,
}

/// A track of an init segment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InitTrack {
    pub(crate) timescale: u32,
    /// Of the first sample description.
    pub(crate) entry: Kind,
    default_duration: u32,
}

/// A track's run of samples in a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) track: u32,
    /// `tfdt`; `None`: it is missing.
    pub(crate) start: Option<u64>,
    /// Of all its samples.
    pub(crate) duration: u64,
    pub(crate) samples: u32,
    pub(crate) base_is_moof: bool,
}

pub(crate) fn init(bytes: &[u8]) -> Init {
    let mut init = Init::default();
    for (kind, body) in boxes(bytes) {
        match &kind {
            b"ftyp" => init.has_ftyp = true,
            b"moof" => init.has_media = true,
            b"moov" => {
                init.has_moov = true;
                for (kind, body) in boxes(body) {
                    match &kind {
                        b"trak" => {
                            let (number, track) = track(body);
                            init.tracks.insert(number, track);
                        }
                        b"mvex" => init.defaults(body),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    init
}

impl Init {
    fn defaults(&mut self, mvex: &[u8]) {
        for (kind, trex) in boxes(mvex) {
            if let (b"trex", Some(track)) = (&kind, self.tracks.get_mut(&be32(trex, 4))) {
                track.default_duration = be32(trex, 12);
            }
        }
    }
}

fn track(trak: &[u8]) -> (u32, InitTrack) {
    let (mut number, mut track) = (0, InitTrack::default());
    let is_long = |body: &[u8]| body.first() == Some(&1);
    for (kind, body) in boxes(trak) {
        match &kind {
            b"tkhd" => number = be32(body, if is_long(body) { 20 } else { 12 }),
            b"mdia" => {
                for (kind, body) in boxes(body) {
                    match &kind {
                        b"mdhd" => {
                            track.timescale = be32(body, if is_long(body) { 20 } else { 12 })
                        }
                        b"minf" => track.entry = entry(body).unwrap_or_default(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    (number, track)
}

/// The first sample description's type.
fn entry(minf: &[u8]) -> Option<Kind> {
    let stbl = find(minf, *b"stbl")?;
    let stsd = find(stbl, *b"stsd")?;
    stsd.get(12..16)?.try_into().ok()
}

fn find(parent: &[u8], wanted: Kind) -> Option<&[u8]> {
    boxes(parent)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, body)| body)
}

/// The runs of a segment, in its order.
pub(crate) fn runs(init: &Init, segment: &[u8]) -> Vec<Run> {
    let mut runs = Vec::new();
    for (_, moof) in boxes(segment).filter(|(kind, _)| kind == b"moof") {
        for (_, traf) in boxes(moof).filter(|(kind, _)| kind == b"traf") {
            runs.push(run(init, traf));
        }
    }
    runs
}

fn run(init: &Init, traf: &[u8]) -> Run {
    let mut run = Run {
        track: 0,
        start: None,
        duration: 0,
        samples: 0,
        base_is_moof: false,
    };
    let mut default_duration = 0;
    for (kind, body) in boxes(traf) {
        let flags = be32(body, 0) & 0xff_ffff;
        match &kind {
            b"tfhd" => {
                run.track = be32(body, 4);
                run.base_is_moof = flags & 0x02_0000 != 0;
                let at =
                    8 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
                let of_init = init
                    .tracks
                    .get(&run.track)
                    .map_or(0, |track| track.default_duration);
                default_duration = if flags & 8 != 0 {
                    be32(body, at)
                } else {
                    of_init
                };
            }
            b"tfdt" => {
                let is_long = body.first() == Some(&1);
                run.start = Some(match is_long {
                    true => u64::from(be32(body, 4)) << 32 | u64::from(be32(body, 8)),
                    false => be32(body, 4).into(),
                });
            }
            b"trun" => {
                let count = be32(body, 4);
                let at =
                    8 + if flags & 1 != 0 { 4 } else { 0 } + if flags & 4 != 0 { 4 } else { 0 };
                let each = 4 * (flags & 0xf00).count_ones() as usize;
                run.samples = run.samples.saturating_add(count);
                if flags & 0x100 == 0 {
                    run.duration += u64::from(count) * u64::from(default_duration);
                } else if let Some(entries) = body.get(at..) {
                    let entries = entries.chunks_exact(each).take(count as usize);
                    run.duration += entries.map(|entry| u64::from(be32(entry, 0))).sum::<u64>();
                }
            }
            _ => {}
        }
    }
    run
}

/// Type and body of each box, up to the first that runs past the end.
fn boxes(data: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let kind: Kind = rest.get(4..8)?.try_into().ok()?;
        let (head, len) = match be32(rest, 0) {
            0 => (8, rest.len()),
            1 => (
                16,
                usize::try_from(u64::from(be32(rest, 8)) << 32 | u64::from(be32(rest, 12))).ok()?,
            ),
            len => (8, len as usize),
        };
        let body = rest.get(head..len)?;
        rest = rest.get(len..)?;
        Some((kind, body))
    })
    .take(MAX_BOXES)
}

fn be32(data: &[u8], at: usize) -> u32 {
    let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}
