//! FLV: demuxer, tag bodies, muxer; with all of enhanced RTMP v2.
//!
//! An RTMP audio or video message's payload **is** an FLV tag body, so [`Parser`] serves RTMP
//! ingest and FLV files alike, and [`unit_body`] RTMP and FLV outputs.
//!
//! ```text
//! file      | FLV header 9 | 0 u32 | tag | tag size u32 | tag | tag size u32 | …
//! tag       | type u8 | body size u24 | time u24 | time bits 24..32 u8 | 0 u24 | body |
//! body      | 1 byte: codec, key frame | packet type, composition offset | payload |
//! enhanced  | 1xxx tttt | [ModEx …] | FourCC | [offset i24] | payload |
//! multitrack| 1xxx 0110 | mmmm tttt | [FourCC] | track u8 [size u24] … | track …
//! ```
//!
//! Payload is never copied: access units hold slices of the body they came in. What is kept for
//! long, a sequence header, is copied so that it does not hold a read buffer.
//!
//! Files are read over damage by [`FileDemuxer`], and written with an index by [`FileMuxer`];
//! [`Rebuild`] makes the index of one that was cut off.
//!
//! Deliberately absent in [`Parser`]: clocks and wrapping (the caller places
//! [`media::AccessUnit::dts`]), and any check of NAL lengths (the muxers that rewrite NAL units do
//! that).
//!
//! Spec: Adobe FLV 10.1 annex E; Veovera Enhanced RTMP v2 §"Enhanced Audio", §"Enhanced Video".
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod builder;
mod demuxer;
mod error;
mod event;
mod file_demuxer;
mod file_muxer;
mod limits;
mod metadata;
mod muxer;
mod parser;
mod reader;
mod rebuild;
mod relay;
mod script;
mod track_labels;
mod wire;

pub use builder::{BodyHeader, header_body, unit_body};
pub use demuxer::{Demuxer, Tag, TagKind};
pub use error::{Error, ErrorKind};
pub use event::{ChannelConfig, Event, Events, VideoMetadata};
pub use file_demuxer::FileDemuxer;
pub use file_muxer::FileMuxer;
pub use limits::Limits;
pub use metadata::{data_message, metadata};
pub use muxer::{Muxer, file_header, tag_header, wire_time};
pub use parser::Parser;
pub use rebuild::Rebuild;
pub use relay::{Relay, TagBody};
pub use track_labels::{TrackLabel, audio_labels};
