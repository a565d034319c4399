//! Program specific information: PAT and PMT as two ready TS packets.
//!
//! The `mpeg2ts` crate writes the sections, their descriptors and CRC; it pads with an adaptation
//! field, so the section is taken out of its packet and padded with 0xFF after its end, as
//! ISO/IEC 13818-1 §2.4.4 and every receiver expect.
//!
//! ```text
//! PAT, PID 0       program 1 ─▶ PID 0x1000
//! PMT, PID 0x1000  PCR PID, then per stream: type 8, PID 13, descriptors
//!   registration descriptor 0x05 (§2.6.8): format identifier 32
//!   extension descriptor 0x7f (ETSI EN 300 468 §6.4), tag 0x80: Opus channel configuration 8
//!   metadata descriptor 0x26 (§2.6.60), and in the program's own metadata pointer 0x25 (§2.6.58):
//!   ID3, as Apple's Timed Metadata for HTTP Live Streaming says
//!   registration descriptor CUEI in the program's own: splice information (SCTE 35 §8.1)
//! ```

use bytes::{BufMut, BytesMut};
use mpeg2ts::es::StreamType;
use mpeg2ts::ts::payload::{Pat, Pmt};
use mpeg2ts::ts::{
    ContinuityCounter, Descriptor, EsInfo, Pid, ProgramAssociation, TransportScramblingControl,
    TsHeader, TsPacket, TsPacketWriter, TsPayload, VersionNumber, WriteTsPacket,
};

use super::packet::PACKET_LEN;

/// PID of the PMT.
pub(super) const PMT_PID: u16 = 0x1000;
/// Splice information sections (SCTE 35 §8.1), in a program that is registered so; the crate names
/// the type by another use of it.
pub(super) const SPLICES: StreamType = StreamType::Dts8ChannelLosslessAudio;
/// Our only program.
const PROGRAM: u16 = 1;

/// How a stream appears in the PMT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) stream_type: StreamType,
    pub(super) pid: u16,
    pub(super) descriptors: Vec<Descriptor>,
}

/// A registration descriptor: says what a private stream type holds.
pub(super) fn registration(format: [u8; 4]) -> Descriptor {
    Descriptor {
        tag: 0x05,
        data: format.to_vec(),
    }
}

/// The Opus audio descriptor: an extension descriptor with the channel configuration.
pub(super) fn opus_channels(code: u8) -> Descriptor {
    Descriptor {
        tag: 0x7f,
        data: vec![0x80, code],
    }
}

/// What a metadata descriptor and a pointer to it say of ID3: application format and format, each
/// by an identifier; service 0.
const ID3: [u8; 12] = *b"\xff\xffID3 \xffID3 \x00";

/// A metadata descriptor of ID3.
pub(super) fn id3_metadata() -> Descriptor {
    Descriptor {
        tag: 0x26,
        // No decoder configuration; reserved bits are ones.
        data: [&ID3[..], &[0x0f]].concat(),
    }
}

/// Points to the ID3 stream of our program.
fn id3_pointer() -> Descriptor {
    let [high, low] = PROGRAM.to_be_bytes();
    Descriptor {
        tag: 0x25,
        // In this program; reserved bits are ones.
        data: [&ID3[..], &[0x1f, high, low]].concat(),
    }
}

/// The two tables as packets, with their continuity counters.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pat: [u8; PACKET_LEN],
    pmt: [u8; PACKET_LEN],
    continuity: u8,
    version: VersionNumber,
}

impl Tables {
    /// Tables of these streams; `None` when they do not fit in one packet each.
    pub(super) fn new(pcr_pid: Option<u16>, entries: &[Entry]) -> Option<Self> {
        let version = VersionNumber::new();
        Some(Self {
            pat: pat()?,
            pmt: pmt(version, pcr_pid, entries)?,
            continuity: 0,
            version,
        })
    }

    /// Takes other streams under the next version number, unless they are the same; `None` and no
    /// change when they do not fit.
    pub(super) fn replace(&mut self, pcr_pid: Option<u16>, entries: &[Entry]) -> Option<()> {
        if pmt(self.version, pcr_pid, entries)? != self.pmt {
            let mut version = self.version;
            version.increment();
            self.pmt = pmt(version, pcr_pid, entries)?;
            self.version = version;
        }
        Some(())
    }

    /// Appends both packets.
    pub(super) fn put(&mut self, out: &mut BytesMut) {
        out.reserve(2 * PACKET_LEN);
        for packet in [&self.pat, &self.pmt] {
            let (header, section) = packet.split_at(3);
            out.put_slice(header);
            out.put_u8(0x10 | self.continuity);
            out.put_slice(section.split_at(1).1);
        }
        self.continuity = (self.continuity + 1) & 0x0f;
    }
}

fn pat() -> Option<[u8; PACKET_LEN]> {
    section_packet(
        Pid::PAT,
        TsPayload::Pat(Pat {
            transport_stream_id: 1,
            version_number: VersionNumber::new(),
            table: vec![ProgramAssociation {
                program_num: PROGRAM,
                program_map_pid: Pid::new(PMT_PID).ok()?,
            }],
        }),
    )
}

fn pmt(
    version: VersionNumber,
    pcr_pid: Option<u16>,
    entries: &[Entry],
) -> Option<[u8; PACKET_LEN]> {
    let es_info = entries
        .iter()
        .map(|entry| {
            Some(EsInfo {
                stream_type: entry.stream_type,
                elementary_pid: Pid::new(entry.pid).ok()?,
                descriptors: entry.descriptors.clone(),
            })
        })
        .collect::<Option<_>>()?;
    section_packet(
        PMT_PID,
        TsPayload::Pmt(Pmt {
            program_num: PROGRAM,
            pcr_pid: pcr_pid.and_then(|pid| Pid::new(pid).ok()),
            version_number: version,
            program_info: entries
                .iter()
                .filter_map(|entry| match entry.stream_type {
                    StreamType::PacketizedMetadata => Some(id3_pointer()),
                    // The whole program is one with splices (SCTE 35 §8.1).
                    SPLICES => Some(registration(*b"CUEI")),
                    _ => None,
                })
                .collect(),
            es_info,
        }),
    )
}

/// Has `mpeg2ts` write the section, and pads it behind.
fn section_packet(pid: u16, payload: TsPayload) -> Option<[u8; PACKET_LEN]> {
    let mut writer = TsPacketWriter::new(Vec::with_capacity(PACKET_LEN));
    writer
        .write_ts_packet(&TsPacket {
            header: TsHeader {
                transport_error_indicator: false,
                transport_priority: false,
                pid: Pid::new(pid).ok()?,
                transport_scrambling_control: TransportScramblingControl::NotScrambled,
                continuity_counter: ContinuityCounter::new(),
            },
            adaptation_field: None,
            payload: Some(payload),
        })
        .ok()?;
    let written = writer.into_stream();
    let &[sync, high, low, control, ..] = written.as_slice() else {
        return None;
    };
    let adaptation_len = match control & 0x20 {
        0 => 0,
        _ => 1 + usize::from(*written.get(4)?),
    };
    // Pointer field and section: the rest of the packet.
    let section = written.get(4 + adaptation_len..)?;
    let mut packet = [0xff; PACKET_LEN];
    packet
        .get_mut(..4)?
        .copy_from_slice(&[sync, high, low, 0x10]);
    packet
        .get_mut(4..4 + section.len())?
        .copy_from_slice(section);
    Some(packet)
}
