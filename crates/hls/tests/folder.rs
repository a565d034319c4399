//! Folders read back: FLV to HLS to FLV, ffmpeg's folders, files that are not there or not whole.
//!
//! Shared media are found in a folder `shared/testmedia` beside the repository, or below
//! `SIDESTREAM_SHARED`; without them, or without ffmpeg, tests that need them say so and pass.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use hls::folder::{Demuxer, Error, Step};
use media::{AccessUnit, Dts, Headers, Rounding, Timescale, TrackId, TrackKind, TrackList};
use remux::{Damage, Event, LeftOut, flv, mp4, ts};

/// A folder in memory.
type Folder = BTreeMap<String, Bytes>;
/// Times at 90 kHz, key flag and payload.
type Row = (i64, i64, bool, Bytes);

#[derive(Debug, Default)]
struct Told {
    tracks: TrackList,
    lists: usize,
    units: Vec<AccessUnit>,
    damage: Vec<Damage>,
    breaks: usize,
    left_out: Vec<LeftOut>,
    log: Vec<String>,
}

/// Reads a folder, `step` bytes at a time.
fn read(folder: &Folder, playlist: &str, step: usize) -> Result<Told, Error> {
    let mut demuxer = Demuxer::new(playlist);
    let mut told = Told::default();
    loop {
        let event = match demuxer.poll()? {
            Step::Open(path) => {
                match folder.get(&*path) {
                    Some(file) => demuxer.opened(file.len() as u64),
                    None => demuxer.refused("no such file"),
                }
                continue;
            }
            Step::Read { path, offset, len } => {
                assert!((1..=1 << 20).contains(&len));
                let file = &folder[&*path];
                let at = usize::try_from(offset).unwrap().min(file.len());
                demuxer.push(file.slice(at..file.len().min(at + len.min(step))));
                continue;
            }
            Step::Event(event) => event,
            Step::End => {
                told.left_out = demuxer.left_out();
                return Ok(told);
            }
        };
        told.log.push(format!("{event:?}"));
        match event {
            Event::Tracks(tracks) => {
                told.lists += 1;
                told.tracks = tracks.as_ref().clone();
            }
            Event::Unit(unit) => told.units.push(unit),
            Event::Damage(damage) => told.damage.push(damage),
            Event::Discontinuity => told.breaks += 1,
            _ => {}
        }
    }
}

fn whole(folder: &Folder) -> Told {
    read(folder, "index.m3u8", usize::MAX).unwrap()
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

/// FLV files of the repository and of the shared media.
fn flv_files() -> Vec<PathBuf> {
    let mut folders = vec![testdata("")];
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let shared = std::env::var_os("SIDESTREAM_SHARED").map(PathBuf::from);
    let shared = shared
        .into_iter()
        .chain(above.map(|folder| folder.join("shared")))
        .map(|folder| folder.join("testmedia"))
        .find(|folder| folder.is_dir());
    match shared {
        Some(shared) => folders
            .extend(["flv", "flv-edge", "flv-ffmpeg", "flv-remux"].map(|name| shared.join(name))),
        None => eprintln!("skipped: no shared/testmedia beside the repository"),
    }
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "flv"))
        .collect();
    files.sort();
    files
}

fn flv_events(bytes: Bytes) -> Vec<Event> {
    let mut demuxer = flv::FileDemuxer::default();
    demuxer.push(bytes);
    demuxer.finish();
    std::iter::from_fn(|| demuxer.poll().unwrap()).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Ts,
    Fmp4,
    /// One file, and byte ranges in it.
    Fmp4Ranges,
}

/// Writes events as a folder; a segment has two key frames, or two seconds of audio.
struct Writer {
    layout: Layout,
    ts: Option<ts::Muxer>,
    fmp4: Option<mp4::FragmentMuxer>,
    pending: Vec<AccessUnit>,
    keys: usize,
    /// Number of the two seconds of the last audio.
    part: i64,
    breaks: bool,
    count: usize,
    text: String,
    folder: Folder,
    all: BytesMut,
}

impl Writer {
    fn new(layout: Layout) -> Self {
        Self {
            layout,
            ts: None,
            fmp4: None,
            pending: Vec::new(),
            keys: 0,
            part: 0,
            breaks: false,
            count: 0,
            text: "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:9\n".to_owned(),
            folder: Folder::new(),
            all: BytesMut::new(),
        }
    }

    fn tracks(&mut self, tracks: &TrackList) {
        self.cut();
        self.breaks = true;
        match (&mut self.ts, self.layout) {
            (Some(muxer), Layout::Ts) => drop(muxer.set_tracks(tracks)),
            (None, Layout::Ts) => self.ts = Some(ts::Muxer::new(tracks).0),
            _ => self.fmp4 = Some(mp4::FragmentMuxer::new(tracks).0),
        }
    }

    fn carries(&self, id: TrackId) -> bool {
        let ts = self.ts.as_ref().is_some_and(|muxer| muxer.carries(id));
        ts || self.fmp4.as_ref().is_some_and(|muxer| muxer.carries(id))
    }

    fn unit(&mut self, unit: &AccessUnit, leads: bool) {
        if !self.carries(unit.track) {
            return;
        }
        let is_video = unit.track.0.is_multiple_of(2);
        let part = unit.dts.0.div_euclid(2_000);
        if leads && unit.is_random_access() {
            self.keys += usize::from(is_video);
            if self.keys > 2 || !is_video && part != self.part {
                self.cut();
                self.keys = usize::from(is_video);
            }
            self.part = part;
        }
        self.pending.push(unit.clone());
    }

    /// Where the bytes went: a line that names them.
    fn file(&mut self, name: &str, bytes: Bytes) -> (String, Option<String>) {
        if self.layout != Layout::Fmp4Ranges {
            self.folder.insert(name.to_owned(), bytes);
            return (name.to_owned(), None);
        }
        let range = format!("{}@{}", bytes.len(), self.all.len());
        self.all.extend_from_slice(&bytes);
        ("all.mp4".to_owned(), Some(range))
    }

    fn cut(&mut self) {
        self.keys = 0;
        let units = std::mem::take(&mut self.pending);
        let bytes = match (&mut self.ts, &mut self.fmp4) {
            (Some(muxer), _) if !units.is_empty() => {
                let mut out = BytesMut::new();
                muxer.tables(&mut out);
                for unit in &units {
                    muxer.unit(unit, &mut out).unwrap();
                }
                out.freeze()
            }
            (_, Some(muxer)) => match muxer.fragment(&units, &[]) {
                Ok(bytes) => bytes,
                Err(mp4::Error::Empty) => return,
                Err(error) => panic!("{error}"),
            },
            _ => return,
        };
        if std::mem::take(&mut self.breaks) {
            if self.count > 0 {
                self.text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if let Some(init) = self.fmp4.as_ref().map(mp4::FragmentMuxer::init_segment) {
                let (name, range) = self.file(&format!("init%{}.mp4", self.count), init);
                let range = range.map(|range| format!(",BYTERANGE=\"{range}\""));
                let range = range.unwrap_or_default();
                self.text += &format!("#EXT-X-MAP:URI=\"{name}\"{range}\n");
            }
        }
        let (name, range) = self.file(&format!("{:04}.seg", self.count), bytes);
        self.text += "#EXTINF:2.000,\n";
        if let Some(range) = range {
            self.text += &format!("#EXT-X-BYTERANGE:{range}\n");
        }
        self.text += &format!("{name}\n");
        self.count += 1;
    }

    fn finish(mut self) -> Folder {
        self.cut();
        self.text.push_str("#EXT-X-ENDLIST\n");
        self.folder
            .insert("index.m3u8".to_owned(), self.text.into());
        self.folder.insert("all.mp4".to_owned(), self.all.freeze());
        self.folder
    }
}

/// The events as a folder, and which tracks it has.
fn write(events: &[Event], layout: Layout) -> (Folder, Vec<TrackId>) {
    let mut writer = Writer::new(layout);
    let mut carried = Vec::new();
    let mut has_video = false;
    for event in events {
        match event {
            Event::Tracks(tracks) => {
                writer.tracks(tracks);
                carried = tracks.iter().map(|track| track.id).collect();
                has_video = tracks.video().is_some_and(|track| writer.carries(track.id));
                carried.retain(|id| writer.carries(*id));
            }
            Event::Unit(unit) => {
                writer.unit(unit, !has_video || unit.track.0.is_multiple_of(2));
            }
            _ => {}
        }
    }
    (writer.finish(), carried)
}

/// A track's units of the events, empty ones left out.
fn rows<'a>(
    units: impl Iterator<Item = &'a AccessUnit>,
    track: TrackId,
    scale: Timescale,
) -> Vec<Row> {
    let ticks = |ticks| scale.convert(ticks, Timescale::NINETY_KHZ, Rounding::Nearest);
    units
        .filter(|unit| unit.track == track && !unit.payload.is_empty())
        .map(|unit| {
            let (dts, pts) = (ticks(unit.dts.0), ticks(unit.pts().0));
            (dts, pts, unit.is_random_access(), unit.payload.clone())
        })
        .collect()
}

fn units(events: &[Event]) -> impl Iterator<Item = &AccessUnit> {
    events.iter().filter_map(|event| match event {
        Event::Unit(unit) => Some(unit),
        _ => None,
    })
}

fn assert_same(name: &str, want: &[Row], got: &[Row]) {
    for (n, (want, got)) in want.iter().zip(got).enumerate() {
        let times = |row: &Row| (row.0, row.1, row.2, row.3.len());
        assert_eq!(times(want), times(got), "{name}: unit {n}");
        assert!(want.3 == got.3, "{name}: unit {n}: other bytes");
    }
    assert_eq!(want.len(), got.len(), "{name}: units");
}

/// What was read, as an FLV file, as events.
fn as_flv(told: &Told) -> Vec<Event> {
    let mut muxer = flv::FileMuxer::new(100);
    let headers = Headers {
        tracks: Arc::new(told.tracks.clone()),
        ..Headers::default()
    };
    let mut out = BytesMut::new();
    let mut put = |write: mp4::Write| match write {
        mp4::Write::Append(parts) => parts.iter().for_each(|part| out.put_slice(part)),
        other => panic!("{other:?}"),
    };
    put(muxer.start(&headers, Dts(0)));
    told.units.iter().for_each(|unit| put(muxer.unit(unit)));
    flv_events(out.freeze())
}

fn check(path: &Path, layout: Layout) -> usize {
    let events = flv_events(std::fs::read(path).unwrap().into());
    let name = format!("{} {layout:?}", path.file_name().unwrap().display());
    let (folder, carried) = write(&events, layout);
    if carried.is_empty() {
        return 0;
    }
    let told = whole(&folder);
    assert_eq!(told.damage, [], "{name}");
    let again = as_flv(&told);
    let text = String::from_utf8(folder["index.m3u8"].to_vec()).unwrap();
    assert_eq!(
        told.breaks,
        text.matches("#EXT-X-DISCONTINUITY").count(),
        "{name}"
    );
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let is_kind = |id: &&TrackId| id.0.is_multiple_of(2) == (kind == TrackKind::Video);
        let theirs: Vec<_> = told.tracks.iter().filter(|t| t.kind() == kind).collect();
        // fMP4 drops tracks of a list that are gone; MPEG-TS closes ids up.
        for (index, id) in carried.iter().filter(is_kind).enumerate() {
            let want = rows(units(&events), *id, Timescale::MILLIS);
            let Some(track) = theirs.get(index).filter(|_| !want.is_empty()) else {
                assert_eq!(want.len(), 0, "{name}: {id:?}");
                continue;
            };
            let mut got = rows(told.units.iter(), track.id, track.timescale);
            // MPEG-TS has times modulo a turn, the first of them below it.
            let turn = 1_i64 << 33;
            let shift = (want[0].0 - got[0].0).div_euclid(turn) * turn;
            got.iter_mut().for_each(|row| {
                row.0 += shift;
                row.1 += shift;
            });
            assert_same(&name, &want, &got);
            // FLV has times of milliseconds modulo 2^32 and units of the same bytes.
            let back = rows(units(&again), track.id, Timescale::MILLIS);
            let shift = want[0].0 - back[0].0;
            let back: Vec<Row> = back
                .into_iter()
                .map(|row| (row.0 + shift, row.1 + shift, row.2, row.3))
                .collect();
            assert_same(&format!("{name}, as FLV"), &want, &back);
        }
    }
    carried.len()
}

#[test]
fn flv_comes_back_from_folders_of_every_layout() {
    for layout in [Layout::Ts, Layout::Fmp4, Layout::Fmp4Ranges] {
        let carried: usize = flv_files().iter().map(|path| check(path, layout)).sum();
        assert!(carried >= 17, "{layout:?}: {carried} tracks");
    }
}

#[test]
fn any_split_gives_the_same_events() {
    let events = flv_events(std::fs::read(testdata("h264-opus.flv")).unwrap().into());
    for layout in [Layout::Ts, Layout::Fmp4Ranges] {
        let (folder, _) = write(&events, layout);
        let want = whole(&folder).log;
        assert!(want.len() > 200, "{}", want.len());
        for step in [1, 187, 5_000] {
            assert_eq!(read(&folder, "index.m3u8", step).unwrap().log, want);
        }
    }
}

/// Two segments of video and audio, with what was told of them.
fn two(layout: Layout) -> (Folder, Told) {
    let events = flv_events(std::fs::read(testdata("bframes.flv")).unwrap().into());
    let (mut folder, _) = write(&events, layout);
    // One list of tracks, so one init segment.
    let text = String::from_utf8(folder["index.m3u8"].to_vec()).unwrap();
    folder.insert("index.m3u8".to_owned(), text.into());
    let told = whole(&folder);
    assert_eq!(told.damage, []);
    (folder, told)
}

#[test]
fn what_is_missing_costs_its_segment_and_is_told() {
    for layout in [Layout::Ts, Layout::Fmp4] {
        let (folder, want) = two(layout);
        let names: Vec<&String> = folder
            .keys()
            .filter(|name| name.ends_with(".seg"))
            .collect();
        let [.., victim, last] = names[..] else {
            panic!("{names:?}")
        };
        let rest = |folder: &Folder| {
            let told = whole(folder);
            let places: Vec<String> = told
                .damage
                .iter()
                .map(|damage| {
                    format!(
                        "{}-{}: {}",
                        damage.bytes.start, damage.bytes.end, damage.what
                    )
                })
                .collect();
            (told.units.len(), places)
        };
        // A file.
        let mut missing = folder.clone();
        missing.remove(victim);
        let (count, damage) = rest(&missing);
        assert_eq!(
            damage,
            [format!(
                "0-0: a segment of 2.000 s is left out (no such file), in {victim}"
            )]
        );
        assert!(count < want.units.len() && count > 0);
        // Its bytes.
        let mut empty = folder.clone();
        empty.insert(victim.clone(), Bytes::new());
        assert_eq!(
            rest(&empty),
            (
                count,
                vec![format!("0-0: the file ends before, in {victim}")]
            )
        );
        // The playlist says so.
        for (tag, why) in [
            ("#EXT-X-GAP", "a gap, as the playlist says"),
            (
                "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"",
                "encrypted by AES-128, which is not read",
            ),
        ] {
            let mut without = folder.clone();
            let text = String::from_utf8(folder["index.m3u8"].to_vec()).unwrap();
            let text = text.replace(
                &format!("{victim}\n#EXTINF:2.000,\n"),
                &format!("{tag}\n{victim}\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2.000,\n"),
            );
            without.insert("index.m3u8".to_owned(), text.into());
            let want = format!("0-0: a segment of 2.000 s is left out ({why}), in {victim}");
            assert_eq!(rest(&without), (count, vec![want]));
        }
        // Other content.
        for (content, why) in [
            (
                &b"ID3\x04\0\0\0\0\0\0"[..],
                "packed audio, which is not read",
            ),
            (b"WEBVTT\n\n", "subtitles, which are not read"),
        ] {
            if layout == Layout::Ts {
                let mut other = folder.clone();
                other.insert(victim.clone(), content.into());
                let want = format!("0-{}: {why}, in {victim}", content.len());
                assert_eq!(rest(&other), (count, vec![want]));
            }
        }
        // The end of the last one: what was before it stays.
        let mut cut = folder.clone();
        let bytes = &folder[last];
        cut.insert(last.clone(), bytes.slice(..bytes.len() / 2));
        let (some, damage) = rest(&cut);
        assert!(
            (count.min(some)..want.units.len()).contains(&some),
            "{some}"
        );
        assert!(!damage.is_empty(), "{layout:?}");
        assert!(
            damage
                .iter()
                .all(|text| text.ends_with(&format!(", in {last}")))
        );
    }
}

#[test]
fn missing_init_segment_is_told_for_each_segment() {
    let (mut folder, _) = two(Layout::Fmp4);
    let segments = folder.keys().filter(|name| name.ends_with(".seg")).count();
    folder.retain(|name, _| !name.starts_with("init"));
    let told = whole(&folder);
    assert_eq!((told.units.len(), told.damage.len()), (0, segments));
    assert_eq!(
        &*told.damage[0].what,
        "a segment of 2.000 s is left out (without its init segment init%0.mp4: no such file), in 0000.seg"
    );
}

/// MPEG-TS may have its tables in an init segment and nowhere else (RFC 8216 §3.2).
#[test]
fn tables_of_an_init_segment_are_read() {
    let (mut folder, want) = two(Layout::Ts);
    let tables = folder["0000.seg"].slice(..2 * 188);
    for (name, bytes) in &mut folder {
        if name.ends_with(".seg") {
            *bytes = bytes.slice(2 * 188..);
        }
    }
    assert_eq!(whole(&folder).units.len(), 0);
    folder.insert("tables".to_owned(), tables);
    let text = String::from_utf8(folder["index.m3u8"].to_vec()).unwrap();
    let text = text.replacen("#EXTINF", "#EXT-X-MAP:URI=\"tables\"\n#EXTINF", 1);
    folder.insert("index.m3u8".to_owned(), text.into());
    let told = whole(&folder);
    assert_eq!((told.damage, told.units.len()), (vec![], want.units.len()));
}

/// Video and audio apart, as CMAF has them; both with a discontinuity in the middle.
fn apart(events: &[Event]) -> Folder {
    let mut folder = Folder::new();
    for (name, odd) in [("v", 0), ("a", 1)] {
        let only: Vec<Event> = events
            .iter()
            .filter_map(|event| match event {
                Event::Tracks(tracks) => {
                    let tracks = tracks.iter().filter(|t| t.id.0 % 2 == odd).cloned();
                    let tracks = TrackList::new(tracks.collect());
                    (!tracks.is_empty()).then(|| Event::Tracks(tracks.into()))
                }
                Event::Unit(unit) => (unit.track.0 % 2 == odd).then(|| event.clone()),
                _ => None,
            })
            .collect();
        let (files, _) = write(&only, Layout::Fmp4);
        for (file, bytes) in files {
            let bytes = match file.as_str() {
                "index.m3u8" => {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    text.replace("0001.seg", "0001.seg\n#EXT-X-DISCONTINUITY")
                        .into()
                }
                _ => bytes,
            };
            folder.insert(format!("{name}/{file}"), bytes);
        }
    }
    let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"a/index.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b\",URI=\"b/index.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv/index.m3u8\n";
    folder.insert("index.m3u8".to_owned(), text.into());
    folder
}

#[test]
fn times_of_several_playlists_are_joined() {
    let events = flv_events(std::fs::read(testdata("bframes.flv")).unwrap().into());
    let folder = apart(&events);
    let told = whole(&folder);
    assert_eq!(told.breaks, 1);
    assert_eq!(told.damage.len(), 1);
    assert_eq!(
        &*told.damage[0].what,
        "audio is left out (playlist b/index.m3u8: no such file)"
    );
    let ids: Vec<_> = told.tracks.iter().map(|track| track.id.0).collect();
    assert_eq!(ids.len(), 2);
    let mut kinds = told.tracks.iter().map(|track| track.kind());
    assert_ne!(kinds.next(), kinds.next());
    for track in told.tracks.iter() {
        let odd = u16::from(track.kind() == TrackKind::Audio);
        let id = TrackId(odd);
        let want = rows(units(&events), id, Timescale::MILLIS);
        let got = rows(told.units.iter(), track.id, track.timescale);
        assert_same("apart", &want, &got);
    }
    // In order of time: no unit is half a second behind another.
    let mut newest = i64::MIN;
    let broken = told
        .log
        .iter()
        .position(|line| line.starts_with("Discontinuity"));
    assert!(broken.is_some());
    for unit in &told.units {
        let scale = told.tracks.get(unit.track).unwrap().timescale;
        let time = scale.convert(unit.dts.0, Timescale::MILLIS, Rounding::Floor);
        assert!(time > newest.saturating_sub(500), "{time} after {newest}");
        newest = newest.max(time);
    }
}

#[test]
fn left_out_tracks_have_the_ids_of_no_others() {
    let events = flv_events(std::fs::read(testdata("bframes.flv")).unwrap().into());
    let mut folder = apart(&events);
    // An unknown codec instead of AAC: each playlist's only track has the same id.
    for (name, bytes) in &mut folder {
        if name.starts_with("a/init") {
            let mut init = bytes.to_vec();
            let at = init
                .windows(4)
                .position(|window| window == b"mp4a")
                .unwrap();
            init[at..at + 4].copy_from_slice(b"zzzz");
            *bytes = init.into();
        }
    }
    let told = whole(&folder);
    let ids: Vec<_> = told.tracks.iter().map(|track| track.id.0).collect();
    let left_out: Vec<_> = told
        .left_out
        .iter()
        .map(|left_out| left_out.track.0)
        .collect();
    assert_eq!((ids, left_out), (vec![0], vec![1]));
}

#[test]
fn playlists_that_cannot_be_read_say_why() {
    let fails = |files: &[(&str, &str)]| {
        let folder: Folder = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.to_string().into()))
            .collect();
        read(&folder, "index.m3u8", 7).unwrap_err().to_string()
    };
    assert_eq!(fails(&[]), "playlist index.m3u8: no such file");
    assert_eq!(
        fails(&[("index.m3u8", "#EXTM3U\n#EXT-X-ENDLIST\n")]),
        "playlist index.m3u8 lists no segments"
    );
    let nested = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/i.m3u8\n";
    assert_eq!(
        fails(&[("index.m3u8", nested), ("v/i.m3u8", nested)]),
        "playlist v/i.m3u8, line 1: a multivariant playlist within another"
    );
    assert_eq!(
        fails(&[("index.m3u8", &nested.replace("v/", "../"))]),
        "playlist ../i.m3u8: it is outside of the playlist's folder"
    );
    let long = "#EXTM3U\n".repeat((8 << 20) / 8 + 1);
    let folder = Folder::from([("index.m3u8".to_owned(), long.into())]);
    assert_eq!(
        read(&folder, "index.m3u8", usize::MAX)
            .unwrap_err()
            .to_string(),
        "playlist index.m3u8: it has 8388616 bytes, more than 8388608"
    );
}

/// Real and hostile playlists whose files are not there: an end or an error, and nothing asked for
/// twice.
#[test]
fn playlists_without_files_end() {
    let mut count = 0;
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(shared) = above
        .map(|folder| folder.join("shared/testmedia"))
        .find(|folder| folder.is_dir())
    else {
        eprintln!("skipped: no shared/testmedia beside the repository");
        return;
    };
    for folder in ["m3u8/exoplayer", "m3u8/m3u8-parser", "badinput/m3u8"] {
        for entry in std::fs::read_dir(shared.join(folder)).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            let folder = Folder::from([("index.m3u8".to_owned(), text.into())]);
            if let Ok(told) = read(&folder, "index.m3u8", usize::MAX) {
                assert_eq!(told.units.len(), 0);
                assert!(!told.damage.is_empty());
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} playlists");
}

/// ffmpeg's folders: the source's payload with its times; one file with ranges, and names that need
/// escapes.
#[test]
fn folders_of_ffmpeg_are_read() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("skipped: no ffmpeg");
        return;
    }
    let source = flv_events(std::fs::read(testdata("bframes.flv")).unwrap().into());
    for (name, options) in [
        ("ts", &["-hls_segment_filename", "a b%%20%d.ts"][..]),
        ("range", &["-hls_flags", "single_file"]),
        ("fmp4", &["-hls_segment_type", "fmp4"]),
        (
            "fmp4-range",
            &["-hls_segment_type", "fmp4", "-hls_flags", "single_file"],
        ),
        (
            "apart",
            &[
                "-var_stream_map",
                "v:0,agroup:x a:0,agroup:x",
                "-master_pl_name",
                "all.m3u8",
            ],
        ),
    ] {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("folder-{name}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let playlist = match name {
            "apart" => "v%v.m3u8",
            _ => "index.m3u8",
        };
        let output = Command::new("ffmpeg")
            .current_dir(&path)
            .args(["-v", "error", "-nostdin", "-copyts", "-i"])
            .arg(std::fs::canonicalize(testdata("bframes.flv")).unwrap())
            .args(["-map", "0:v", "-map", "0:a", "-c", "copy"])
            .args([
                "-avoid_negative_ts",
                "disabled",
                "-muxdelay",
                "0",
                "-muxpreload",
                "0",
            ])
            .args(["-hls_time", "1", "-hls_playlist_type", "vod"])
            .args(options)
            .arg(playlist)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        let folder: Folder = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap().into())
            })
            .collect();
        let first = if name == "apart" {
            "all.m3u8"
        } else {
            "index.m3u8"
        };
        let told = read(&folder, first, usize::MAX).unwrap();
        assert_eq!(told.damage, [], "{name}");
        assert_eq!(told.breaks, 0, "{name}");
        assert_eq!(told.tracks.len(), 2, "{name}");
        for track in told.tracks.iter() {
            let odd = u16::from(track.kind() == TrackKind::Audio);
            let want = rows(units(&source), TrackId(odd), Timescale::MILLIS);
            let got = rows(told.units.iter(), track.id, track.timescale);
            assert_eq!(want.len(), got.len(), "{name}: units of {:?}", track.kind());
            let shift = got[0].0 - want[0].0;
            for (n, (want, got)) in want.iter().zip(&got).enumerate() {
                // A millisecond is what FLV's audio times are rounded to.
                let late = (got.0 - want.0 - shift).abs();
                assert!(late <= 90, "{name}: unit {n}: {late} ticks");
                assert!(want.3.len().abs_diff(got.3.len()) < 64 && want.2 == got.2);
                if odd == 1 {
                    assert!(want.3 == got.3, "{name}: audio unit {n}");
                }
            }
        }
    }
}
