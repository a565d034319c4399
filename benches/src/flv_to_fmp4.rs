//! FLV to fragmented MP4 in memory, as a remuxing shell does it: reads of 1 MiB, a fragment a group
//! of pictures, slices to be written.

use bytes::Bytes;
use media::AccessUnit;
use remux::Event;
use remux::flv::FileDemuxer;
use remux::mp4::FragmentMuxer;

/// Bytes of a read.
const READ: usize = 1 << 20;

/// What came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remuxed {
    /// Access units written.
    pub units: u64,
    /// Bytes written, the init segment's included.
    pub bytes: u64,
    /// Slices that they were in.
    pub slices: u64,
}

/// Remuxes a file whose tracks are all described before its first access unit.
///
/// # Panics
/// When the file is damaged.
#[must_use]
pub fn flv_to_fmp4(file: &Bytes) -> Remuxed {
    let mut demuxer = FileDemuxer::default();
    let mut muxer: Option<FragmentMuxer> = None;
    let mut group: Vec<AccessUnit> = Vec::new();
    let mut out = Remuxed::default();
    let mut rest = file.clone();
    loop {
        let ends = rest.is_empty();
        if ends {
            demuxer.finish();
        }
        demuxer.push(rest.split_to(READ.min(rest.len())));
        while let Some(event) = demuxer.poll().expect("the clip is sound") {
            let Event::Unit(unit) = event else {
                assert!(!matches!(event, Event::Damage(_)), "the clip is sound");
                continue;
            };
            let muxer = muxer.get_or_insert_with(|| {
                let (muxer, _) = FragmentMuxer::new(demuxer.tracks());
                out.bytes += muxer.init_segment().len() as u64;
                muxer
            });
            if unit.track.0 == 0 && unit.is_random_access() && !group.is_empty() {
                write(muxer, &mut group, &mut out);
            }
            group.push(unit);
        }
        if ends {
            if let Some(muxer) = &mut muxer {
                write(muxer, &mut group, &mut out);
            }
            return out;
        }
    }
}

fn write(muxer: &mut FragmentMuxer, group: &mut Vec<AccessUnit>, out: &mut Remuxed) {
    let slices = muxer.slices(group, &[]).expect("sound units");
    out.units += group.len() as u64;
    out.slices += slices.len() as u64;
    out.bytes += slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
    group.clear();
}
