//! MP4: cut behind the last whole fragment, and finished from the headers of all of them.

use std::io;

use bytes::Bytes;
use remux::mp4::{Repair, RepairStep};

use super::{apply, open};
use crate::manifest::Progress;
use crate::mux::ORIGIN;
use crate::storage::{Storage, StoredFile};

pub(super) fn repair(
    storage: &dyn Storage,
    path: &str,
    progress: &mut Progress,
    tell: impl FnOnce(&Progress) -> io::Result<()>,
) -> io::Result<bool> {
    let Some(mut file) = open(storage, path)? else {
        return Ok(false);
    };
    let mut repair = Repair::new(file.size()?, ORIGIN);
    let repaired = loop {
        match repair.poll() {
            Ok(RepairStep::Read { offset, len }) => {
                let mut piece = vec![0; len];
                let count = file.read_at(offset, &mut piece)?;
                piece.truncate(count);
                repair.push(Bytes::from(piece));
            }
            Ok(RepairStep::Done(repaired)) => break repaired,
            Err(error) => {
                tracing::warn!(path, "{error}");
                return Ok(false);
            }
        }
    };
    // An ordinary file has no fragments: it was finished but for its manifest.
    if repaired.fragments == 0 && !repaired.is_finished {
        return Ok(false);
    }
    if let Some(end_ms) = repaired.end_ms {
        progress.ends_at(end_ms);
        tell(progress)?;
    }
    for write in repaired.writes {
        apply(file.as_mut(), write)?;
    }
    file.sync()?;
    Ok(true)
}

/// Where the last fragment ends, and how many there are.
pub(super) fn whole(file: &dyn StoredFile) -> io::Result<(u64, u64)> {
    let size = file.size()?;
    let (mut at, mut whole, mut fragments) = (0_u64, 0, 0);
    loop {
        let mut header = [0; 16];
        let count = file.read_at(at, &mut header)?;
        let Some((short, kind)) = header[..count].split_first_chunk::<4>() else {
            break;
        };
        let Some((kind, long)) = kind.split_first_chunk::<4>() else {
            break;
        };
        let len = match u32::from_be_bytes(*short) {
            1 => long
                .first_chunk::<8>()
                .map_or(0, |len| u64::from_be_bytes(*len)),
            len => len.into(),
        };
        let end = at.saturating_add(len);
        if len < 8 || end > size {
            break;
        }
        at = end;
        match kind {
            b"mdat" => {
                fragments += 1;
                whole = at;
            }
            // Half of a fragment.
            b"moof" => {}
            _ => whole = at,
        }
    }
    Ok((whole, fragments))
}
