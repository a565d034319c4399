//! Recorded files, read back by the demuxers.

use bytes::Bytes;
use media::{TrackKind, TrackList};
use remux::{Event, flv, mp4, ts};

use super::clip::Seen;
use crate::format::Format;
use crate::manifest::{MANIFEST, Manifest};
use crate::storage::Storage as _;
use crate::storage::faulty::Faulty;

/// Every manifest, in the order of recording; each checked against its file.
pub(super) fn manifests(storage: &Faulty, format: Format) -> Vec<Manifest> {
    let paths = storage.paths();
    let paths = paths.iter().filter(|path| path.ends_with(MANIFEST));
    // Others are none of ours.
    let all = paths.filter_map(|path| serde_json::from_slice(&storage.content(path)).ok());
    let mut found: Vec<Manifest> = all
        .filter(|manifest: &Manifest| manifest.format == format.as_str())
        .collect();
    found.sort_by_key(|manifest| manifest.index);
    for manifest in &found {
        check_sums(storage, manifest, format);
    }
    found
}

fn check_sums(storage: &Faulty, manifest: &Manifest, format: Format) {
    let sum = |content: &[u8]| {
        use sha2::Digest as _;
        let sum = sha2::Sha256::digest(content);
        sum.iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    if !format.is_folder() {
        let content = storage.content(&manifest.path);
        assert_eq!(manifest.size, content.len() as u64, "{}", manifest.path);
        assert_eq!(manifest.sha256, sum(&content), "{}", manifest.path);
        return;
    }
    let mut listed = Vec::new();
    for member in &manifest.files {
        let content = storage.content(&format!("{}/{}", manifest.path, member.name));
        assert_eq!(member.size, content.len() as u64, "{}", member.name);
        assert_eq!(member.sha256, sum(&content), "{}", member.name);
        listed.push(member.name.clone());
    }
    listed.push("index.m3u8".to_owned());
    listed.sort();
    let entries = storage.list(&manifest.path).unwrap();
    let mut there: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
    there.sort();
    assert_eq!(there, listed, "{}", manifest.path);
}

/// The units of a file, and that nothing of it is damaged.
pub(super) fn units(storage: &Faulty, path: &str, format: Format) -> Vec<Seen> {
    match format {
        Format::Flv => read_flv(storage.content(path).into()),
        Format::Mp4 => read_mp4(storage.content(path).into()),
        Format::Ts => read_ts(storage.content(path).into()),
        Format::Hls | Format::HlsTs => {
            let text = storage.content(&format!("{path}/index.m3u8"));
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n"), "{text}");
            assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
            let init = text.lines().filter_map(|line| {
                let uri = line.strip_prefix("#EXT-X-MAP:URI=\"")?;
                uri.strip_suffix('"')
            });
            let segments = text.lines().filter(|line| !line.starts_with('#'));
            let names = init.chain(segments);
            let all = names.map(|name| storage.content(&format!("{path}/{name}")));
            let all = all.collect::<Vec<_>>().concat().into();
            match format {
                Format::Hls => read_mp4(all),
                _ => read_ts(all),
            }
        }
        Format::Aac => unreachable!("not asked for here"),
    }
}

fn take(event: Event, tracks: &mut TrackList, out: &mut Vec<Seen>) {
    match event {
        Event::Tracks(found) => *tracks = (*found).clone(),
        Event::Unit(unit) => out.push(Seen::of(&unit, tracks)),
        Event::Damage(damage) => panic!("{damage:?}"),
        _ => {}
    }
}

fn read_flv(content: Bytes) -> Vec<Seen> {
    let mut demuxer = flv::FileDemuxer::new(flv::Limits::default());
    demuxer.push(content);
    demuxer.finish();
    let (mut tracks, mut out) = (TrackList::default(), Vec::new());
    while let Some(event) = demuxer.poll().unwrap() {
        take(event, &mut tracks, &mut out);
    }
    out
}

fn read_mp4(content: Bytes) -> Vec<Seen> {
    let len = content.len() as u64;
    let mut demuxer = mp4::Demuxer::new(mp4::Input::File { len });
    let (mut tracks, mut out) = (TrackList::default(), Vec::new());
    loop {
        match demuxer.poll().unwrap() {
            mp4::Step::Read { offset, len } => {
                let offset = usize::try_from(offset).unwrap();
                let end = content.len().min(offset + len);
                demuxer.push(content.slice(offset.min(end)..end));
            }
            mp4::Step::Event(event) => take(event, &mut tracks, &mut out),
            mp4::Step::End => return out,
        }
    }
}

fn read_ts(content: Bytes) -> Vec<Seen> {
    assert_eq!(content.len() % 188, 0, "whole packets");
    let mut demuxer = ts::Demuxer::new(ts::Limits::default());
    demuxer.push(content);
    demuxer.finish();
    let (mut tracks, mut out) = (TrackList::default(), Vec::new());
    while let Some(event) = demuxer.poll().unwrap() {
        take(event, &mut tracks, &mut out);
    }
    out
}

/// The units of one kind.
pub(super) fn of(units: &[Seen], kind: TrackKind) -> Vec<Seen> {
    let own = units.iter().filter(|unit| unit.kind == kind);
    own.cloned().collect()
}

/// Checks that `got` is part of `sent` from its unit `from` on, all times moved alike; gives what
/// they are moved by.
pub(super) fn assert_part(got: &[Seen], sent: &[Seen], from: usize, what: &str) -> Option<i64> {
    assert!(
        from + got.len() <= sent.len(),
        "{what}: {from} + {} units of {}",
        got.len(),
        sent.len()
    );
    let first = got.first()?;
    let shift = sent[from].dts - first.dts;
    for (index, (got, sent)) in got.iter().zip(&sent[from..]).enumerate() {
        let moved = Seen {
            dts: got.dts + shift,
            ..got.clone()
        };
        assert!(
            moved == *sent,
            "{what}: unit {index}: {sent:?} sent, {got:?} read, moved by {shift}"
        );
    }
    Some(shift)
}
