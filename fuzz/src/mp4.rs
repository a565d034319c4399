//! MP4 files, read, repaired and written.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, Codec, CodecConfig, Dts, FrameRole, Ticks, Timescale, Track, TrackId};
use media::{TrackKind, TrackList};
use remux::Event;
use remux::mp4::{
    DemuxError, Demuxer, FileMuxer, Input, Layout, Origin, Recorder, Repair, RepairStep, Step,
    Write,
};

/// Reads the data as a file, in reads of several lengths, and as a pipe; repairs it, and reads what
/// came of that.
///
/// # Panics
/// When lengths of reads change what is told, a unit is none of the file's bytes, or a repaired
/// file needs repair.
pub fn mp4_demux(data: &[u8]) {
    let file = Bytes::copy_from_slice(data);
    let whole = demux(&file, false, usize::MAX);
    let (units, error) = &whole;
    let given: usize = units.iter().map(|unit| unit.payload.len()).sum();
    assert!(given <= 5 * file.len(), "{given} bytes of {}", file.len());
    let pieces = demux(&file, false, 97);
    assert_eq!(keys(&whole.0), keys(&pieces.0));
    assert_eq!(*error, pieces.1);
    let piped = demux(&file, true, 97);
    assert!(piped.0.len() <= units.len() || piped.1.is_some() || error.is_some());

    let mut repaired = data.to_vec();
    let Ok(writes) = repair(&repaired) else {
        return;
    };
    let is_cut = !writes.is_empty();
    apply(&mut repaired, writes);
    if is_cut {
        let (_, error) = demux(&repaired.clone().into(), false, usize::MAX);
        assert_eq!(error, None);
        let again = repair(&repaired);
        assert!(again.is_ok_and(|writes| writes.is_empty()));
    }
}

/// Takes the data as a list of access units, four bytes each, and writes them as an ordinary file
/// and as a recording: all must come back.
///
/// # Panics
/// When a unit comes back otherwise.
pub fn mp4_round_trip(data: &[u8]) {
    let tracks = tracks();
    let mut at = [0_i64; 2];
    let units: Vec<AccessUnit> = data
        .chunks_exact(4)
        .enumerate()
        .map(|(n, chunk)| {
            let [flags, step, offset, len] = *chunk else {
                unreachable!("chunks of four");
            };
            let audio = usize::from(flags & 1);
            let clock = at.get_mut(audio).expect("0 or 1");
            // A tick at least, so that times are told exactly; now and then a jump.
            *clock += 1 + i64::from(step) * if flags & 2 == 0 { 1 } else { 1_000 };
            let payload = vec![u8::try_from(n % 251).unwrap_or(0); usize::from(len) + 1];
            let id = TrackId(u16::from(flags & 1));
            let mut unit = AccessUnit::new(id, Dts(*clock), payload.into());
            if audio == 1 {
                return unit.random_access();
            }
            unit = unit.composition_offset(Ticks(i64::from(offset.cast_signed())));
            unit.role = match flags >> 2 & 3 {
                0 => FrameRole::RandomAccess,
                1 => FrameRole::Disposable,
                _ => FrameRole::Inter,
            };
            unit
        })
        .collect();
    let (mut muxer, _) = FileMuxer::new(&tracks, Origin::Kept, Layout::Reserved(2_000));
    let mut file = Vec::new();
    for unit in &units {
        muxer.push(unit).expect("small");
    }
    apply(&mut file, muxer.finish(&[]));
    compare(&units, &file.into());

    let (mut recorder, _) = Recorder::new(&tracks, Origin::Kept);
    let mut file = Vec::new();
    apply(&mut file, [recorder.start()]);
    for part in units.chunks(7) {
        let write = recorder
            .fragment(part, &[])
            .expect("units of carried tracks");
        apply(&mut file, [write]);
    }
    let mut cut = file.clone();
    apply(&mut file, recorder.finish(&[]));
    if !units.is_empty() {
        compare(&units, &file.clone().into());
        // The repair comes to the same file but for the last durations.
        let writes = repair(&cut).expect("a recording");
        apply(&mut cut, writes);
        compare(&units, &cut.into());
    }
}

fn compare(units: &[AccessUnit], file: &Bytes) {
    let (read, error) = demux(file, false, usize::MAX);
    assert_eq!(error, None);
    for id in [TrackId(0), TrackId(1)] {
        let of = |units: &[AccessUnit]| -> Vec<AccessUnit> {
            units
                .iter()
                .filter(|unit| unit.track == id)
                .cloned()
                .collect()
        };
        assert_eq!(keys(&of(units)), keys(&of(&read)));
    }
}

type Key = (TrackId, Dts, Ticks, FrameRole, Bytes);

fn keys(units: &[AccessUnit]) -> Vec<Key> {
    let key = |unit: &AccessUnit| {
        (
            unit.track,
            unit.dts,
            unit.composition_offset,
            unit.role,
            unit.payload.clone(),
        )
    };
    units.iter().map(key).collect()
}

fn tracks() -> TrackList {
    // Opus and VP9 tell all in a few bytes; 90 kHz, so that ticks are kept.
    let vp9 = CodecConfig::parse(Codec::Vp9, &[1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0]);
    let opus = CodecConfig::parse(Codec::Opus, b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
    let mut vp9 = vp9.expect("a record");
    if let CodecConfig::Vp9(config) = &mut vp9 {
        (config.params.width, config.params.height) = (320, 180);
    }
    let track = |id, config| Arc::new(Track::new(TrackId(id), Timescale::NINETY_KHZ, config));
    TrackList::new(vec![track(0, vp9), track(1, opus.expect("a record"))])
}

fn demux(file: &Bytes, is_pipe: bool, step: usize) -> (Vec<AccessUnit>, Option<DemuxError>) {
    let len = file.len() as u64;
    let input = if is_pipe {
        Input::Pipe
    } else {
        Input::File { len }
    };
    let mut demuxer = Demuxer::new(input);
    let mut units = Vec::new();
    let mut tracks: Arc<TrackList> = Arc::default();
    loop {
        match demuxer.poll() {
            Ok(Step::Read { offset, len }) => {
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(file.len());
                let to = from.saturating_add(len.min(step)).min(file.len());
                demuxer.push(file.slice(from..to));
            }
            Ok(Step::Event(Event::Tracks(list))) => tracks = list,
            Ok(Step::Event(Event::Unit(unit))) => {
                let track = tracks
                    .get(unit.track)
                    .expect("a track is told of before its units");
                assert!(track.kind() == TrackKind::Video || unit.is_random_access());
                assert!(!unit.payload.is_empty());
                units.push(unit);
            }
            Ok(Step::Event(Event::Damage(damage))) => {
                assert!(damage.bytes.start <= damage.bytes.end)
            }
            Ok(Step::Event(_)) => {}
            Ok(Step::End) => return (units, None),
            Err(error) => return (units, Some(error)),
        }
    }
}

fn repair(file: &[u8]) -> Result<Vec<Write>, DemuxError> {
    let mut repair = Repair::new(file.len() as u64, Origin::Kept);
    loop {
        match repair.poll()? {
            RepairStep::Read { offset, len } => {
                let from = usize::try_from(offset).expect("within the file");
                let bytes = file.get(from..from + len).expect("within the file");
                repair.push(Bytes::copy_from_slice(bytes));
            }
            RepairStep::Done(repaired) => return Ok(repaired.writes),
        }
    }
}

fn apply(file: &mut Vec<u8>, writes: impl IntoIterator<Item = Write>) {
    for write in writes {
        match write {
            Write::Append(parts) => parts.iter().for_each(|part| file.extend_from_slice(part)),
            Write::Sync => {}
            Write::Overwrite { at, bytes } => {
                let at = usize::try_from(at).expect("within the file");
                let place = file.get_mut(at..at + bytes.len()).expect("within the file");
                place.copy_from_slice(&bytes);
            }
            Write::Truncate { len } => file.truncate(usize::try_from(len).expect("shorter")),
        }
    }
}
