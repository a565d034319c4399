//! Recordings cut anywhere: what is left plays, and a repair finishes it.

use remux::mp4::{Origin, Recorder};

use crate::drive::{Shell, apply, demux, repair};
use crate::round_trip::fragments;
use crate::source::{Source, sources};

/// A recording as its writes: after each the file is in a state that a crash may leave.
pub(crate) struct Recording {
    pub(crate) states: Vec<Vec<u8>>,
    /// Length behind each fragment, and the units so far.
    pub(crate) fragments: Vec<(usize, usize)>,
}

pub(crate) fn record(source: &Source) -> Recording {
    let (mut recorder, _) = Recorder::new(&source.tracks, Origin::First);
    let mut file = Vec::new();
    apply(&mut file, [recorder.start()]);
    let mut states = vec![file.clone()];
    let mut units_so_far = 0;
    let mut ends = vec![(file.len(), 0)];
    for (units, next) in fragments(source, 25) {
        let Ok(write) = recorder.fragment(units, &next) else {
            continue;
        };
        apply(&mut file, [write]);
        units_so_far += units
            .iter()
            .filter(|u| recorder.carries(u.track) && !u.payload.is_empty())
            .count();
        states.push(file.clone());
        ends.push((file.len(), units_so_far));
    }
    for write in recorder.finish(&[]) {
        apply(&mut file, [write]);
        states.push(file.clone());
    }
    Recording {
        states,
        fragments: ends,
    }
}

fn source() -> Option<Source> {
    sources().into_iter().find(|source| {
        source.tracks.len() == 2
            && source.units.len() > 200
            && source.units.iter().map(|u| u.payload.len()).sum::<usize>() > 200_000
    })
}

#[test]
fn every_state_plays_and_is_repaired() {
    let Some(source) = source() else {
        return;
    };
    let recording = record(&source);
    let last = recording.fragments.last().unwrap().1;
    for (n, state) in recording.states.iter().enumerate() {
        let told = demux(&state.clone().into(), Shell::File(1 << 20));
        assert_eq!((told.error, told.damage), (None, vec![]), "state {n}");
        let units = recording.fragments.get(n).map_or(last, |(_, units)| *units);
        assert_eq!(told.units.len(), units, "state {n}");
    }
    let finished = recording.states.last().unwrap();
    let (found, _) = repair(finished, Origin::First);
    let found = found.unwrap();
    assert_eq!((found.writes, found.is_finished), (vec![], true));
    // Whatever a crash during the finish leaves becomes the finished file.
    for state in &recording.states[recording.fragments.len() - 1..recording.states.len() - 1] {
        let mut file = state.clone();
        let (found, _) = repair(&file, Origin::First);
        apply(&mut file, found.unwrap().writes);
        let (told, want) = (
            demux(&file.clone().into(), Shell::File(1 << 20)),
            demux(&finished.clone().into(), Shell::File(1 << 20)),
        );
        let key =
            |unit: &media::AccessUnit| (unit.track, unit.dts, unit.pts(), unit.payload.clone());
        assert!(told.units.iter().map(key).eq(want.units.iter().map(key)));
    }
}

#[test]
fn cut_anywhere_keeps_every_whole_fragment() {
    let Some(source) = source() else {
        return;
    };
    let recording = record(&source);
    let longest = recording
        .states
        .iter()
        .max_by_key(|state| state.len())
        .unwrap();
    let media_end = recording.fragments.last().unwrap().0;
    let unfinished = recording
        .states
        .iter()
        .rfind(|state| state.len() == media_end)
        .unwrap();
    // The appended index, not yet in force.
    let appended = &recording.states[recording.fragments.len()];
    assert_eq!(appended.len(), longest.len());
    assert_eq!(&appended[..media_end], &unfinished[..]);
    let init = recording.fragments[0].0;
    let mut cuts: Vec<usize> = recording
        .fragments
        .iter()
        .flat_map(|(end, _)| [end - 1, *end, end + 1, end + 8, end + 100])
        .collect();
    let mut seed = 7_u64;
    cuts.extend((0..200).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % appended.len()
    }));
    for cut in cuts {
        let mut file = appended[..cut.min(appended.len())].to_vec();
        let whole = recording
            .fragments
            .iter()
            .rfind(|(end, _)| *end <= file.len());
        let (found, read) = repair(&file, Origin::First);
        if cut < init {
            assert!(found.is_err(), "cut at {cut}");
            continue;
        }
        let &(end, units) = whole.unwrap();
        let found = found.unwrap();
        assert_eq!(found.samples, units as u64, "cut at {cut}");
        assert_eq!(found.lost, end as u64..file.len() as u64, "cut at {cut}");
        assert_eq!(found.is_finished, units > 0, "cut at {cut}");
        assert!(read <= file.len() as u64 + 20_000);
        // Before the repair every whole sample is there.
        let before = demux(&file.clone().into(), Shell::File(1 << 20));
        assert!(
            before.error.is_none() && before.units.len() >= units,
            "cut at {cut}"
        );
        apply(&mut file, found.writes);
        let told = demux(&file.clone().into(), Shell::File(1 << 20));
        assert_eq!((told.error, told.damage), (None, vec![]), "cut at {cut}");
        assert_eq!(told.units.len(), units, "cut at {cut}");
        let key = |unit: &media::AccessUnit| (unit.track, unit.payload.clone());
        assert!(
            told.units
                .iter()
                .map(key)
                .eq(before.units.iter().map(key).take(units))
        );
    }
}
