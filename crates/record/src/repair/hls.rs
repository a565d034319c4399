//! HLS folders: the last segment is cut as its container wants, and the playlist written anew.

use std::io;

use super::{cut, mp4, read_all, ts};
use crate::format::Format;
use crate::manifest::Progress;
use crate::mux::{PLAYLIST, Segment, playlist};
use crate::storage::{EntryKind, Storage, replace};

/// Largest playlist that is read. Threat: a planted file.
const MAX_PLAYLIST: u64 = 64 << 20;
const INIT: &str = "init.mp4";

pub(super) fn repair(
    storage: &dyn Storage,
    folder: &str,
    format: Format,
    progress: &mut Progress,
) -> io::Result<bool> {
    let text = match read_all(storage, &format!("{folder}/{PLAYLIST}"), MAX_PLAYLIST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut segments = read_playlist(&String::from_utf8_lossy(&text));
    let extension = match format {
        Format::HlsTs => ".ts",
        _ => ".m4s",
    };
    let mut names: Vec<String> = storage
        .list(folder)?
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File && entry.name.ends_with(extension))
        .map(|entry| entry.name)
        .collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let listed_ms: i64 = segments.iter().map(|segment| segment.duration_ms).sum();
    names.retain(|name| !segments.iter().any(|segment| segment.name == *name));
    // At most one: a segment is listed when the next one begins.
    for name in names {
        let path = format!("{folder}/{name}");
        let mut file = storage.open(&path)?;
        let whole = match format {
            Format::HlsTs => ts::whole(file.as_ref())?,
            _ => mp4::whole(file.as_ref())?.0,
        };
        if whole == 0 {
            drop(file);
            storage.remove(&path)?;
            continue;
        }
        cut(file.as_mut(), whole)?;
        let since = match progress.segment_ms {
            0 => listed_ms,
            begun => begun,
        };
        segments.push(Segment {
            name,
            duration_ms: (progress.duration_ms - since).max(1),
            discontinuity: false,
        });
    }
    if segments.is_empty() {
        for name in [INIT, PLAYLIST] {
            match storage.remove(&format!("{folder}/{name}")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        return Ok(false);
    }
    let init = (format == Format::Hls).then_some(INIT);
    let text = playlist(init, &segments, true);
    replace(storage, &format!("{folder}/{PLAYLIST}"), text)?;
    Ok(true)
}

/// The whole entries of a playlist of ours.
fn read_playlist(text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let (mut duration_ms, mut discontinuity) = (None, false);
    // What stands behind the last line feed was cut off.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        if let Some(duration) = line.strip_prefix("#EXTINF:") {
            duration_ms = millis(duration.trim_end_matches(','));
        } else if line == "#EXT-X-DISCONTINUITY" {
            discontinuity = true;
        } else if !line.starts_with('#')
            && let Some(duration_ms) = duration_ms.take()
        {
            segments.push(Segment {
                name: line.to_owned(),
                duration_ms,
                discontinuity: std::mem::take(&mut discontinuity),
            });
        }
    }
    segments
}

/// `6.040` as 6040.
fn millis(text: &str) -> Option<i64> {
    let (seconds, millis) = text.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1_000 + millis.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_that_was_cut_off_keeps_its_whole_entries() {
        let segment = |name: &str, duration_ms, discontinuity| Segment {
            name: name.to_owned(),
            duration_ms,
            discontinuity,
        };
        let segments = [
            segment("00000.ts", 6_040, false),
            segment("00001.ts", 12_001, true),
        ];
        let text = playlist(None, &segments, false);
        let text = String::from_utf8_lossy(&text);
        assert_eq!(read_playlist(&text), segments);
        for cut in 0..text.len() {
            let got = read_playlist(&text[..cut]);
            assert_eq!(got, segments[..got.len()], "cut at {cut}");
        }
    }
}
