//! A TS reader for tests, written from the standard and strict about every bit it sees.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One TS packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) pid: u16,
    pub(super) start: bool,
    pub(super) continuity: u8,
    pub(super) discontinuity: bool,
    pub(super) random_access: bool,
    /// Base at 90 kHz; reserved bits and extension are checked here.
    pub(super) pcr: Option<u64>,
    /// Length byte of the adaptation field.
    pub(super) adaptation_len: Option<u8>,
    pub(super) payload: Vec<u8>,
}

/// One PES packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pes {
    pub(super) pid: u16,
    pub(super) stream_id: u8,
    pub(super) pts: u64,
    pub(super) dts: u64,
    pub(super) data: Vec<u8>,
}

pub(super) fn packets(bytes: &[u8]) -> Vec<Packet> {
    assert_eq!(bytes.len() % 188, 0, "whole packets");
    bytes.chunks_exact(188).map(packet).collect()
}

fn packet(bytes: &[u8]) -> Packet {
    assert_eq!(bytes[0], 0x47);
    assert_eq!(bytes[1] & 0xa0, 0, "no error, no priority");
    assert_eq!(bytes[3] & 0xc0, 0, "not scrambled");
    let mut packet = Packet {
        pid: u16::from(bytes[1] & 0x1f) << 8 | u16::from(bytes[2]),
        start: bytes[1] & 0x40 != 0,
        continuity: bytes[3] & 0x0f,
        discontinuity: false,
        random_access: false,
        pcr: None,
        adaptation_len: None,
        payload: Vec::new(),
    };
    let mut payload_at = 4;
    if bytes[3] & 0x20 != 0 {
        let len = bytes[4];
        packet.adaptation_len = Some(len);
        payload_at = 5 + usize::from(len);
        if bytes[3] & 0x10 == 0 {
            assert_eq!(len, 183, "a packet without payload is all adaptation field");
        }
        if len > 0 {
            let flags = bytes[5];
            assert_eq!(flags & 0x2f, 0, "only the fields we write");
            packet.discontinuity = flags & 0x80 != 0;
            packet.random_access = flags & 0x40 != 0;
            let mut stuffing_at = 6;
            if flags & 0x10 != 0 {
                let pcr = bytes[6..12]
                    .iter()
                    .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
                assert_eq!(pcr >> 9 & 0x3f, 0x3f, "reserved bits of the PCR");
                assert_eq!(pcr & 0x1ff, 0, "PCR extension");
                packet.pcr = Some(pcr >> 15);
                stuffing_at = 12;
            }
            assert!(bytes[stuffing_at..payload_at].iter().all(|&b| b == 0xff));
        }
    }
    if bytes[3] & 0x10 != 0 {
        packet.payload = bytes[payload_at..].to_vec();
        assert!(!packet.payload.is_empty());
    }
    packet
}

/// Checks the continuity counter of every PID over `packets`.
pub(super) fn check_continuity(packets: &[Packet]) {
    let mut last: BTreeMap<u16, u8> = BTreeMap::new();
    for packet in packets {
        let step = u8::from(!packet.payload.is_empty());
        if let Some(before) = last.insert(packet.pid, packet.continuity) {
            assert_eq!(packet.continuity, (before + step) & 0x0f, "{packet:?}");
        }
    }
}

/// The PES packets in order of their starts, gathered by PID.
pub(super) fn pes(packets: &[Packet]) -> Vec<Pes> {
    check_continuity(packets);
    let mut gathered: Vec<(u16, Vec<u8>)> = Vec::new();
    for packet in packets.iter().filter(|p| (0x100..0x1000).contains(&p.pid)) {
        if packet.start {
            gathered.push((packet.pid, Vec::new()));
        }
        if !packet.payload.is_empty() {
            let open = gathered.iter_mut().rfind(|(pid, _)| *pid == packet.pid);
            open.unwrap().1.extend_from_slice(&packet.payload);
        }
    }
    gathered
        .iter()
        .map(|(pid, bytes)| one_pes(*pid, bytes))
        .collect()
}

fn one_pes(pid: u16, bytes: &[u8]) -> Pes {
    assert_eq!(bytes[..3], [0, 0, 1]);
    let length = usize::from(bytes[4]) << 8 | usize::from(bytes[5]);
    let video = bytes[3] & 0xf0 == 0xe0;
    assert_eq!(length, if video { 0 } else { bytes.len() - 6 });
    assert_eq!(bytes[6], 0x84);
    let (pts, dts, len) = match bytes[7] {
        0x80 => (stamp(2, &bytes[9..14]), stamp(2, &bytes[9..14]), 5),
        0xc0 => (stamp(3, &bytes[9..14]), stamp(1, &bytes[14..19]), 10),
        other => panic!("flags {other:#x}"),
    };
    assert_eq!(bytes[8], len);
    Pes {
        pid,
        stream_id: bytes[3],
        pts,
        dts,
        data: bytes[9 + usize::from(len)..].to_vec(),
    }
}

fn stamp(prefix: u8, b: &[u8]) -> u64 {
    assert_eq!(b[0] >> 4, prefix);
    assert_eq!((b[0] & 1, b[2] & 1, b[4] & 1), (1, 1, 1), "marker bits");
    u64::from(b[0] >> 1 & 7) << 30
        | u64::from(b[1]) << 22
        | u64::from(b[2] >> 1) << 15
        | u64::from(b[3]) << 7
        | u64::from(b[4] >> 1)
}

/// The section in a packet's payload: checks pointer, length, CRC and padding.
pub(super) fn section(packet: &Packet) -> Vec<u8> {
    assert!(packet.start && packet.adaptation_len.is_none());
    assert_eq!(packet.payload[0], 0, "pointer field");
    let length = usize::from(packet.payload[2] & 0x0f) << 8 | usize::from(packet.payload[3]);
    let (section, padding) = packet.payload[1..].split_at(3 + length);
    assert!(padding.iter().all(|&byte| byte == 0xff), "padding");
    assert_eq!(
        crc32(section),
        0,
        "the CRC over a section with its CRC is 0"
    );
    section.to_vec()
}

/// ISO/IEC 13818-1 annex A: polynomial 0x04c11db7, start value all ones, not reflected.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc & 1 << 31 != 0 { 0x04c1_1db7 } else { 0 }
        })
    })
}

/// A line for each packet, for snapshots.
pub(super) fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for packet in packets(bytes) {
        let _ = write!(out, "{:#06x} cc {:2}", packet.pid, packet.continuity);
        for (set, name) in [
            (packet.start, " start"),
            (packet.discontinuity, " discontinuity"),
            (packet.random_access, " random-access"),
        ] {
            out.push_str(if set { name } else { "" });
        }
        if let Some(pcr) = packet.pcr {
            let _ = write!(out, " pcr {pcr}");
        }
        if let Some(len) = packet.adaptation_len {
            let _ = write!(out, " adaptation {len}");
        }
        if packet.pid == 0 || packet.pid == 0x1000 {
            let _ = write!(out, " section {}", hex(&section(&packet)));
        } else if packet.start {
            let _ = write!(out, " pes {}", hex(&packet.payload[..9]));
            match packet.payload[7] {
                0x80 => {
                    let _ = write!(out, " pts {}", stamp(2, &packet.payload[9..14]));
                }
                _ => {
                    let pts = stamp(3, &packet.payload[9..14]);
                    let dts = stamp(1, &packet.payload[14..19]);
                    let _ = write!(out, " pts {pts} dts {dts}");
                }
            }
        }
        let _ = writeln!(out, " payload {}", packet.payload.len());
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
