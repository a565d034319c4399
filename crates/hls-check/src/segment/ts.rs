//! What of an MPEG-TS segment a demuxer does not tell: where its tables are, its counters, raw times.

use std::collections::BTreeMap;

/// Bytes of a packet.
const PACKET: usize = 188;
/// Furthest that a PTS may lie from its DTS, in ticks of 90 kHz: 10 s.
const FAR: u64 = 900_000;

/// A segment's packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// PAT and PMT came before all media.
    pub(crate) has_tables: bool,
    /// First and last continuity counter of each PID.
    pub(crate) counters: BTreeMap<u16, (u8, u8)>,
    /// PIDs whose first packet says that its counter does not go on.
    pub(crate) restarted: Vec<u16>,
    /// The first counter that does not follow the one before.
    pub(crate) broken: Option<String>,
    /// The first PES packet whose PTS and DTS lie far apart.
    pub(crate) torn: Option<String>,
}

/// Whether bytes begin like MPEG-TS.
pub(crate) fn is_ts(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x47) && bytes.get(PACKET).is_none_or(|&byte| byte == 0x47)
}

/// Reads the packets of a segment of 188-byte packets, up to the first that is none.
pub(crate) fn read(bytes: &[u8]) -> Raw {
    let mut raw = Raw::default();
    let (mut map, mut has_map, mut has_media) = (None, false, false);
    for (index, packet) in bytes.chunks_exact(PACKET).enumerate() {
        let &[0x47, high, low, flags, ..] = packet else {
            break;
        };
        let pid = u16::from_be_bytes([high & 0x1f, low]);
        if pid == 0x1fff {
            continue;
        }
        let adaptation_len = packet.get(4).copied().unwrap_or(0);
        let has_adaptation = flags & 0x20 != 0;
        let says_break = has_adaptation
            && adaptation_len > 0
            && packet.get(5).is_some_and(|byte| byte & 0x80 != 0);
        if flags & 0x10 == 0 {
            continue; // without payload the counter stays
        }
        let counter = flags & 0x0f;
        match raw.counters.get_mut(&pid) {
            None => {
                raw.counters.insert(pid, (counter, counter));
                if says_break {
                    raw.restarted.push(pid);
                }
            }
            Some((_, last)) => {
                let follows = counter == (*last + 1) & 0x0f || counter == *last || says_break;
                if !follows && raw.broken.is_none() {
                    raw.broken = Some(format!(
                        "PID {pid:#x} has counter {counter} after {last} at byte {}",
                        index * PACKET
                    ));
                }
                *last = counter;
            }
        }
        let start = if has_adaptation {
            5 + usize::from(adaptation_len)
        } else {
            4
        };
        let payload = packet.get(start..).unwrap_or_default();
        if high & 0x40 == 0 {
            continue;
        }
        if pid == 0 {
            map = map.or(first_map(payload));
        } else if Some(pid) == map {
            has_map = true;
        } else if let [0, 0, 1, ..] = payload {
            if !has_media {
                raw.has_tables = has_map;
                has_media = true;
            }
            if let (Some((pts, dts)), None) = (times(payload), &raw.torn) {
                let apart = pts.wrapping_sub(dts) & 0x1_ffff_ffff;
                let apart = apart.min((1 << 33) - apart);
                if apart > FAR {
                    raw.torn = Some(format!(
                        "PTS {pts} and DTS {dts} of PID {pid:#x} lie {} s apart",
                        apart / 90_000
                    ));
                }
            }
        }
    }
    raw.has_tables |= !has_media && has_map;
    raw
}

/// The PID of the first program's map, of a PAT (ISO/IEC 13818-1 §2.4.4.3).
fn first_map(payload: &[u8]) -> Option<u16> {
    let pointer = usize::from(*payload.first()?);
    let section = payload.get(1 + pointer..)?;
    let programs = section.get(8..)?.chunks_exact(4);
    let number = |b: &[u8]| u16::from_be_bytes([b[0], b[1]]);
    let program = programs.into_iter().find(|program| number(program) != 0)?;
    Some(number(&program[2..]) & 0x1fff)
}

/// PTS and DTS of a PES packet that has both (ISO/IEC 13818-1 §2.4.3.7).
fn times(pes: &[u8]) -> Option<(u64, u64)> {
    if pes.get(7)? >> 6 != 3 {
        return None;
    }
    Some((stamp(pes.get(9..14)?), stamp(pes.get(14..19)?)))
}

fn stamp(b: &[u8]) -> u64 {
    (u64::from(b[0] >> 1 & 7) << 30)
        | (u64::from(b[1]) << 22)
        | (u64::from(b[2] >> 1) << 15)
        | (u64::from(b[3]) << 7)
        | u64::from(b[4] >> 1)
}
