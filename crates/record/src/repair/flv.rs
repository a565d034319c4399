//! FLV: cut behind the last tag whose size stands behind it.

use std::io;

use super::{cut, open};
use crate::storage::{Storage, StoredFile};

/// Header and the first, empty, previous tag size (FLV 10.1 §E.2).
const HEADER: u64 = 13;
/// Before a tag's body.
const TAG_HEADER: u64 = 11;

pub(super) fn repair(storage: &dyn Storage, path: &str) -> io::Result<bool> {
    let Some(mut file) = open(storage, path)? else {
        return Ok(false);
    };
    let (whole, media) = scan(file.as_ref())?;
    if !media {
        return Ok(false);
    }
    cut(file.as_mut(), whole)?;
    Ok(true)
}

/// Where the last whole tag ends, and whether there is any but headers.
fn scan(file: &dyn StoredFile) -> io::Result<(u64, bool)> {
    let size = file.size()?;
    let mut start = [0; 3];
    if file.read_at(0, &mut start)? < 3 || start != *b"FLV" {
        return Ok((0, false));
    }
    let (mut at, mut media) = (HEADER, false);
    loop {
        let mut header = [0; 13];
        if file.read_at(at, &mut header)? < 13 {
            return Ok((at.min(size), media));
        }
        let [kind, s0, s1, s2, .., first, second] = header;
        let len = u64::from(u32::from_be_bytes([0, s0, s1, s2]));
        let end = at + TAG_HEADER + len;
        let mut behind = [0; 4];
        if file.read_at(end, &mut behind)? < 4
            || u64::from(u32::from_be_bytes(behind)) != TAG_HEADER + len
        {
            return Ok((at, media));
        }
        media |= is_media(kind, first, second);
        at = end + 4;
    }
}

/// Whether a tag holds more than metadata or a codec configuration.
fn is_media(kind: u8, first: u8, second: u8) -> bool {
    match kind & 0x1f {
        // AAC's packet type 0, and the enhanced header's, are sequence headers.
        8 if first >> 4 == 10 => second != 0,
        8 if first >> 4 == 9 => first & 0x0f != 0,
        9 if first & 0x80 != 0 => first & 0x0f != 0,
        9 if first & 0x0f == 7 || first & 0x0f == 12 => second != 0,
        8 | 9 => true,
        _ => false,
    }
}
