//! Shells of the machines, over memory.

use bytes::Bytes;
use media::{AccessUnit, TrackId, TrackList};
use remux::mp4::{DemuxError, Demuxer, Input, Repair, RepairStep, Repaired, Step, Write};
use remux::{Damage, Event, TimedMetadata};
use std::sync::Arc;

/// Everything that a file told.
#[derive(Default)]
pub(crate) struct Told {
    /// The last track list.
    pub(crate) tracks: Arc<TrackList>,
    pub(crate) track_lists: usize,
    pub(crate) units: Vec<AccessUnit>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) timed: Vec<Arc<TimedMetadata>>,
    pub(crate) error: Option<DemuxError>,
    pub(crate) reads: usize,
    pub(crate) read_bytes: u64,
}

impl Told {
    pub(crate) fn of(&self, id: TrackId) -> Vec<&AccessUnit> {
        self.units.iter().filter(|unit| unit.track == id).collect()
    }
}

/// How bytes are given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shell {
    /// Seeks; at most this many bytes a read.
    File(usize),
    /// Does not.
    Pipe(usize),
}

impl Shell {
    /// What is read from, and the most bytes of a read.
    fn input(self, file: &Bytes) -> (Input, usize) {
        let len = file.len() as u64;
        match self {
            Self::File(step) => (Input::File { len }, step),
            Self::Pipe(step) => (Input::Pipe, step),
        }
    }
}

pub(crate) fn demux(file: &Bytes, shell: Shell) -> Told {
    let (input, step) = shell.input(file);
    let mut demuxer = Demuxer::new(input);
    let mut told = Told::default();
    let mut position = 0;
    loop {
        match demuxer.poll() {
            Ok(Step::Read { offset, len }) => {
                assert!((1..=1 << 20).contains(&len));
                if matches!(shell, Shell::Pipe(_)) {
                    assert!(offset >= position, "a pipe does not go back");
                }
                let bytes = read(file, offset, len.min(step));
                position = offset + bytes.len() as u64;
                told.reads += 1;
                told.read_bytes += bytes.len() as u64;
                demuxer.push(bytes);
            }
            Ok(Step::Event(event)) => match event {
                Event::Tracks(tracks) => {
                    told.tracks = tracks;
                    told.track_lists += 1;
                }
                Event::Unit(unit) => {
                    assert!(told.tracks.get(unit.track).is_some(), "track before unit");
                    told.units.push(unit);
                }
                Event::Damage(damage) => told.damage.push(damage),
                Event::Timed(timed) => told.timed.push(timed),
                other => panic!("{other:?}"),
            },
            Ok(Step::End) => return told,
            Err(error) => {
                assert_eq!(demuxer.poll().unwrap_err(), error, "an error stays");
                told.error = Some(error);
                return told;
            }
        }
    }
}

/// Everything that a sound file tells, in order.
pub(crate) fn events(file: &Bytes, shell: Shell) -> Vec<Event> {
    let (input, step) = shell.input(file);
    let mut demuxer = Demuxer::new(input);
    let mut events = Vec::new();
    loop {
        match demuxer.poll().unwrap() {
            Step::Read { offset, len } => demuxer.push(read(file, offset, len.min(step))),
            Step::Event(event) => events.push(event),
            Step::End => return events,
        }
    }
}

fn read(file: &Bytes, offset: u64, len: usize) -> Bytes {
    let from = usize::try_from(offset).unwrap().min(file.len());
    file.slice(from..(from + len).min(file.len()))
}

/// Does what a muxer wants to a file in memory.
pub(crate) fn apply(file: &mut Vec<u8>, writes: impl IntoIterator<Item = Write>) {
    for write in writes {
        match write {
            Write::Append(parts) => parts.iter().for_each(|part| file.extend_from_slice(part)),
            Write::Sync => {}
            Write::Overwrite { at, bytes } => {
                let at = usize::try_from(at).unwrap();
                file[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            Write::Truncate { len } => file.truncate(usize::try_from(len).unwrap()),
        }
    }
}

/// What a repair finds, and the bytes that it read.
pub(crate) fn repair(
    file: &[u8],
    origin: remux::mp4::Origin,
) -> (Result<Repaired, DemuxError>, u64) {
    let mut repair = Repair::new(file.len() as u64, origin);
    let mut read = 0;
    loop {
        match repair.poll() {
            Ok(RepairStep::Read { offset, len }) => {
                let from = usize::try_from(offset).unwrap();
                read += len as u64;
                repair.push(Bytes::copy_from_slice(&file[from..from + len]));
            }
            Ok(RepairStep::Done(repaired)) => return (Ok(repaired), read),
            Err(error) => return (Err(error), read),
        }
    }
}
