//! What an MPEG-TS viewer got, read by `mpeg2ts`.

use bytes::Bytes;
use mpeg2ts::ts::{ReadTsPacket, TsPacketReader, TsPayload};

use super::Tag;
use super::feed::{ASC, AVCC, audio_header, hex, metadata, video_header};

/// The units as the FLV tags that they were. Tables directly before a random access point, with the
/// parameter sets in it, stand for the three headers of an FLV viewer.
pub(super) fn tags(bytes: &[u8]) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    let mut reader = TsPacketReader::new(bytes);
    let mut tables = Vec::new();
    // Fails on a PES packet of which no program map has told.
    while let Some(packet) = reader.read_ts_packet().unwrap() {
        let pid = packet.header.pid.as_u16();
        match packet.payload {
            Some(TsPayload::Pat(_)) => tables = vec!["PAT"],
            Some(TsPayload::Pmt(_)) => tables.push("PMT"),
            Some(TsPayload::PesStart(pes)) => {
                let adaptation = packet.adaptation_field;
                let pts = pes.header.pts.expect("a time").as_u64();
                assert_eq!(pts % 90, 0);
                units.push(Unit {
                    pid,
                    ms: u32::try_from(pts / 90).unwrap(),
                    is_start: tables == ["PAT", "PMT"]
                        && adaptation.is_some_and(|field| field.random_access_indicator),
                    data: pes.data.to_vec(),
                });
                tables.clear();
            }
            Some(TsPayload::PesContinuation(more)) => {
                let unit = units.last_mut().expect("a unit's start");
                assert_eq!(unit.pid, pid);
                unit.data.extend_from_slice(&more);
            }
            // A clock reference alone.
            None => {}
            other => panic!("{other:?}"),
        }
    }
    for unit in units {
        unit.into_tags(&mut tags);
    }
    tags
}

/// One PES packet.
struct Unit {
    pid: u16,
    ms: u32,
    /// Behind tables, and a random access point.
    is_start: bool,
    data: Vec<u8>,
}

impl Unit {
    fn into_tags(self, tags: &mut Vec<Tag>) {
        /// Track 0 of the feed.
        const VIDEO: u16 = 0x100;
        /// Of ADTS without checksum.
        const ADTS: usize = 7;
        let ms = self.ms;
        if self.pid != VIDEO {
            assert_eq!(self.data[..2], [0xff, 0xf1], "ADTS (of {ASC})");
            let body = [&[0xaf, 1], &self.data[ADTS..]].concat().into();
            return tags.push(Tag { kind: 8, ms, body });
        }
        let find = |what: &[u8]| self.data.windows(what.len()).position(|part| part == what);
        let slice = find(&[0, 0, 1, 0x65]).map(|at| (0x17, at));
        let slice = slice.or(find(&[0, 0, 1, 0x41]).map(|at| (0x27, at)));
        let (first, start) = slice.expect("a slice");
        if self.is_start {
            let (avcc, sps_len) = (hex(AVCC), 0x1a);
            let sps = find(&avcc[8..8 + sps_len]).expect("the sequence parameter set");
            assert!(sps < start, "parameter sets first");
            let header = |kind, body: Bytes| Tag { kind, ms, body };
            tags.push(header(18, metadata()));
            tags.push(header(9, video_header(0x1e)));
            tags.push(header(8, audio_header()));
        }
        let nal = &self.data[start + 3..];
        let len = u32::try_from(nal.len()).unwrap().to_be_bytes();
        let body = [&[first, 1, 0, 0, 0], &len[..], nal].concat().into();
        tags.push(Tag { kind: 9, ms, body });
    }
}
