//! What an earlier process kept.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use hls::WallTime;
use hls::shift::Replayed;
use media::StreamName;

use super::shelf::Shelf;
use crate::config::DvrConfig;

/// Folders below the root at most: an app may have several parts.
const DEPTH: usize = 32;

/// All streams of which something is left, and should be.
pub(super) fn all(config: &DvrConfig, now: WallTime) -> HashMap<StreamName, Arc<Shelf>> {
    let mut shelves = HashMap::new();
    visit(config, &config.dir, DEPTH, now, &mut shelves);
    shelves
}

fn visit(
    config: &DvrConfig,
    folder: &Path,
    depth: usize,
    now: WallTime,
    shelves: &mut HashMap<StreamName, Arc<Shelf>>,
) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "dvr: a folder cannot be read");
            return;
        }
    };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => {
                visit(config, &entry.path(), depth - 1, now, shelves);
            }
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    if files.is_empty() {
        return;
    }
    let relative = folder.strip_prefix(&config.dir).ok();
    let name = relative
        .and_then(Path::to_str)
        .map(str::parse::<StreamName>);
    let Some(Ok(name)) = name else {
        return;
    };
    let window = config.window.of(&name);
    if window.is_zero() {
        let folder = folder.display();
        tracing::info!(stream = %name, %folder, "dvr: no longer kept; its folder is left as it is");
        return;
    }
    let shelf = Shelf::new(&name, &config.dir, &config.containers, window);
    if read(config, &shelf, &files, now) {
        shelves.insert(name, Arc::new(shelf));
    }
}

/// Reads the logs among these files; false when none of them is of use.
fn read(config: &DvrConfig, shelf: &Shelf, files: &[std::path::PathBuf], now: WallTime) -> bool {
    let is = |path: &Path, kind: &str| path.extension().is_some_and(|e| e == kind);
    let mut blocks: Vec<Replayed> = Vec::new();
    for log in files.iter().filter(|path| is(path, "log")) {
        let media = log.with_extension("media");
        let len = std::fs::metadata(&media).map_or(0, |file| file.len());
        let text = std::fs::read(log).unwrap_or_default();
        let replayed = Replayed::read(&String::from_utf8_lossy(&text), len);
        match replayed {
            // Its name says the same as its first line, or it is not ours to serve.
            Some(one) if shelf.log_path(one.head().container, one.head().id()) == *log => {
                if one.torn {
                    tracing::info!(log = %log.display(), "dvr: a log ends in the middle; what comes before is kept");
                }
                blocks.push(one);
            }
            _ => {
                tracing::info!(log = %log.display(), "dvr: a log tells of nothing; it is removed");
                for path in [log, &media] {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
    }
    for media in files.iter().filter(|path| is(path, "media")) {
        if !media.with_extension("log").exists() {
            let _ = std::fs::remove_file(media);
        }
    }
    let found = blocks.len();
    for container in &config.containers {
        let (mine, others) = blocks
            .into_iter()
            .partition(|block| block.head().container == *container);
        blocks = others;
        shelf.adopt(*container, mine, now);
    }
    if found > 0 {
        let kept = shelf.state();
        tracing::info!(stream = %shelf.name, segments = kept.segments, bytes = kept.bytes, "dvr: taken up");
    }
    found > 0
}
