//! HLS folders.

use bytes::Bytes;
use hls::folder::{Demuxer, Step};

/// Reads a folder: up to the first byte 0 the playlist, behind it what every other file has. Twice,
/// with reads as long as was asked for and of 100 bytes.
///
/// # Panics
/// When both do not tell the same.
pub fn hls_folder(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == 0);
    let (playlist, file) = data.split_at(end.unwrap_or(data.len()));
    let file = Bytes::copy_from_slice(file.get(1..).unwrap_or_default());
    let playlist = Bytes::copy_from_slice(playlist);
    assert_eq!(
        read(&playlist, &file, 100),
        read(&playlist, &file, usize::MAX)
    );
}

/// Everything that is told, as text.
fn read(playlist: &Bytes, file: &Bytes, step: usize) -> Vec<String> {
    const NAME: &str = "index.m3u8";
    let content = |path: &str| if path == NAME { playlist } else { file };
    let mut demuxer = Demuxer::new(NAME);
    let mut log = Vec::new();
    // Thousands of segments of one file say nothing new.
    let mut files = 0;
    loop {
        match demuxer.poll() {
            Ok(Step::Open(_)) if files > 20 => demuxer.refused("enough"),
            Ok(Step::Open(path)) => {
                files += 1;
                assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."));
                demuxer.opened(content(&path).len() as u64);
            }
            Ok(Step::Read { path, offset, len }) => {
                let bytes = content(&path);
                let at = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let end = at.saturating_add(len.min(step)).min(bytes.len());
                demuxer.push(bytes.slice(at..end));
            }
            Ok(Step::Event(event)) => log.push(format!("{event:?}")),
            Ok(Step::End) => return log,
            Err(error) => {
                log.push(error.to_string());
                return log;
            }
        }
    }
}
