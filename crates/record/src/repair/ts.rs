//! MPEG-TS: cut behind the last whole unit.

use std::io;

use super::{cut, open};
use crate::storage::{Storage, StoredFile};

const PACKET_LEN: u64 = 188;
const SYNC: u8 = 0x47;
/// PAT and PMT.
const TABLES: u64 = 2 * PACKET_LEN;

pub(super) fn repair(storage: &dyn Storage, path: &str) -> io::Result<bool> {
    let Some(mut file) = open(storage, path)? else {
        return Ok(false);
    };
    let whole = whole(file.as_ref())?;
    if whole <= TABLES {
        return Ok(false);
    }
    cut(file.as_mut(), whole)?;
    Ok(true)
}

/// Where the last whole unit ends. After a power failure what was not yet on the disk reads as
/// zeros.
pub(super) fn whole(file: &dyn StoredFile) -> io::Result<u64> {
    let mut end = file.size()? / PACKET_LEN * PACKET_LEN;
    // Payload bytes behind `at`, by PID.
    let mut behind: Vec<(u16, u64)> = Vec::new();
    let mut at = end;
    while at > 0 {
        at -= PACKET_LEN;
        let mut bytes = [0; PACKET_LEN as usize];
        file.read_at(at, &mut bytes)?;
        let Some(packet) = Packet::read(&bytes) else {
            end = at;
            behind.clear();
            continue;
        };
        let known = behind.iter().position(|(pid, _)| *pid == packet.pid);
        let index = known.unwrap_or_else(|| {
            behind.push((packet.pid, 0));
            behind.len() - 1
        });
        let (_, bytes) = &mut behind[index];
        *bytes += packet.payload.len() as u64;
        // Units are written one behind the other: only the last one can be cut off.
        if let Some(len) = packet.pes_len() {
            return Ok(match len > 0 && *bytes >= len {
                true => end,
                false => at,
            });
        }
    }
    Ok(end)
}

struct Packet<'a> {
    pid: u16,
    is_start: bool,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// ISO/IEC 13818-1 §2.4.3.2.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let [SYNC, flags, low, control, rest @ ..] = bytes else {
            return None;
        };
        let skipped = match control & 0x20 {
            0 => 0,
            _ => 1 + usize::from(*rest.first()?),
        };
        Some(Self {
            pid: u16::from(flags & 0x1f) << 8 | u16::from(*low),
            is_start: flags & 0x40 != 0,
            payload: match control & 0x10 {
                0 => &[],
                _ => rest.get(skipped..)?,
            },
        })
    }

    /// Bytes of the PES packet that begins here; 0 when it does not say (§2.4.3.7).
    fn pes_len(&self) -> Option<u64> {
        match (self.is_start, self.payload) {
            (true, [0, 0, 1, _, high, low, ..]) => {
                let len = u64::from(u16::from_be_bytes([*high, *low]));
                Some(if len == 0 { 0 } else { len + 6 })
            }
            _ => None,
        }
    }
}
