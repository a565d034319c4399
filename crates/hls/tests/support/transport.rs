//! Smallest readers of the two containers, written from the standards and not from the muxers.

use std::collections::BTreeMap;

/// `(track or PID, decode times in 90 kHz)` of a segment.
pub type Times = BTreeMap<u32, Vec<i64>>;

/// Decode times of every PES packet by PID (ISO/IEC 13818-1 §2.4.3), and the continuity counters
/// checked over segments in `counters`.
pub fn ts_times(segment: &[u8], counters: &mut BTreeMap<u16, u8>) -> Times {
    let mut times = Times::new();
    assert_eq!(segment.len() % 188, 0);
    for (index, packet) in segment.chunks(188).enumerate() {
        assert_eq!(packet[0], 0x47);
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        match index {
            0 => assert_eq!(pid, 0, "PAT first"),
            1 => assert!(pid != 0 && pid < 0x1fff, "PMT second"),
            _ => {}
        }
        let has_payload = packet[3] & 0x10 != 0;
        if has_payload {
            let counter = packet[3] & 0x0f;
            if let Some(before) = counters.insert(pid, counter) {
                assert_eq!(counter, (before + 1) & 0x0f, "continuity of PID {pid:#x}");
            }
        }
        let starts = packet[1] & 0x40 != 0;
        if !has_payload || !starts || pid == 0 {
            continue;
        }
        let payload = if packet[3] & 0x20 != 0 {
            &packet[5 + usize::from(packet[4])..]
        } else {
            &packet[4..]
        };
        if payload[..3] != [0, 0, 1] {
            continue; // PMT
        }
        let flags = payload[7] >> 6;
        let dts = match flags {
            2 => stamp(&payload[9..14]),
            3 => stamp(&payload[14..19]),
            _ => panic!("PES without time"),
        };
        times.entry(u32::from(pid)).or_default().push(dts);
    }
    times
}

fn stamp(b: &[u8]) -> i64 {
    (i64::from(b[0] >> 1 & 7) << 30)
        | (i64::from(b[1]) << 22)
        | (i64::from(b[2] >> 1) << 15)
        | (i64::from(b[3]) << 7)
        | i64::from(b[4] >> 1)
}

/// Decode times of every sample by track (ISO/IEC 14496-12 §8.8), for tracks of 90 kHz.
pub fn mp4_times(segment: &[u8]) -> Times {
    let mut times = Times::new();
    for (kind, moof) in boxes(segment) {
        if &kind != b"moof" {
            continue;
        }
        for (kind, traf) in boxes(moof) {
            if &kind != b"traf" {
                continue;
            }
            let (mut track, mut default_duration, mut dts) = (0, 0, 0);
            for (kind, body) in boxes(traf) {
                match &kind {
                    b"tfhd" => {
                        let flags = be32(body, 0) & 0xff_ffff;
                        track = be32(body, 4);
                        let mut at = 8;
                        at += if flags & 1 != 0 { 8 } else { 0 };
                        at += if flags & 2 != 0 { 4 } else { 0 };
                        if flags & 8 != 0 {
                            default_duration = be32(body, at);
                        }
                    }
                    b"tfdt" => {
                        dts = if body[0] == 1 {
                            i64::from(be32(body, 4)) << 32 | i64::from(be32(body, 8))
                        } else {
                            i64::from(be32(body, 4))
                        };
                    }
                    b"trun" => {
                        let flags = be32(body, 0) & 0xff_ffff;
                        let count = be32(body, 4);
                        let mut at = 8;
                        at += if flags & 1 != 0 { 4 } else { 0 };
                        at += if flags & 4 != 0 { 4 } else { 0 };
                        for _ in 0..count {
                            times.entry(track).or_default().push(dts);
                            let mut duration = default_duration;
                            if flags & 0x100 != 0 {
                                duration = be32(body, at);
                                at += 4;
                            }
                            at += 4 * (flags & 0xe00).count_ones() as usize;
                            dts += i64::from(duration);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    times
}

pub fn boxes(mut data: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    while data.len() >= 8 {
        let size = be32(data, 0) as usize;
        let kind = [data[4], data[5], data[6], data[7]];
        found.push((kind, &data[8..size]));
        data = &data[size..];
    }
    assert!(data.is_empty(), "bytes after the last box");
    found
}

pub fn be32(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}
