//! FLV: cut behind the last tag whose size stands behind it; then duration and key frames are filled
//! in, as the end of the recording would have done.

use std::io;

use bytes::Bytes;
use remux::flv::{Rebuild, TagKind};

use super::{apply, cut, open};
use crate::manifest::Progress;
use crate::storage::{Storage, StoredFile};

/// Header and the first, empty, previous tag size (FLV 10.1 §E.2).
const HEADER: u64 = 13;
/// Before a tag's body.
const TAG_HEADER: u64 = 11;
/// Longest script tag that is read: ours have some 40 kB.
const MAX_SCRIPT: usize = 1 << 20;

pub(super) fn repair(
    storage: &dyn Storage,
    path: &str,
    progress: &mut Progress,
) -> io::Result<bool> {
    let Some(mut file) = open(storage, path)? else {
        return Ok(false);
    };
    let Some((whole, found)) = scan(file.as_ref())? else {
        return Ok(false);
    };
    if !found.has_media() {
        return Ok(false);
    }
    cut(file.as_mut(), whole)?;
    progress.ends_at(found.end_ms());
    for write in found.finish(whole) {
        apply(file.as_mut(), write)?;
    }
    file.sync()?;
    Ok(true)
}

/// Where the last whole tag ends, and what the tags say; `None` when it is no FLV file.
fn scan(file: &dyn StoredFile) -> io::Result<Option<(u64, Rebuild)>> {
    let size = file.size()?;
    let mut start = [0; 3];
    if file.read_at(0, &mut start)? < 3 || start != *b"FLV" {
        return Ok(None);
    }
    let (mut at, mut found) = (HEADER, None);
    loop {
        let mut header = [0; 13];
        let read = file.read_at(at, &mut header)?;
        let [kind, s0, s1, s2, t0, t1, t2, t3, _, _, _, head @ ..] = header;
        let len = u32::from_be_bytes([0, s0, s1, s2]);
        let end = at + TAG_HEADER + u64::from(len);
        let mut behind = [0; 4];
        let is_whole = read == header.len()
            && file.read_at(end, &mut behind)? == behind.len()
            && u64::from(u32::from_be_bytes(behind)) == TAG_HEADER + u64::from(len);
        if !is_whole {
            let found = found.unwrap_or_else(|| Rebuild::new(None));
            return Ok(Some((at.min(size), found)));
        }
        let kind = match kind & 0x1f {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            18 => Some(TagKind::Script),
            _ => None,
        };
        let found = match &mut found {
            Some(found) => found,
            None => {
                let script = match kind {
                    Some(TagKind::Script) => read_script(file, at + TAG_HEADER, len)?,
                    _ => None,
                };
                found.insert(Rebuild::new(script.as_ref()))
            }
        };
        if let Some(kind) = kind {
            let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
            let head = &head[..head.len().min(len as usize)];
            found.tag(kind, timestamp, at, head);
        }
        at = end + 4;
    }
}

fn read_script(file: &dyn StoredFile, at: u64, len: u32) -> io::Result<Option<Bytes>> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > MAX_SCRIPT {
        return Ok(None);
    }
    let mut body = vec![0; len];
    let count = file.read_at(at, &mut body)?;
    Ok((count == len).then(|| body.into()))
}
