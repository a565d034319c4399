//! HLS: segmenter, segment window and playlist text.
//!
//! ```text
//! tracks, units ─▶ Segmenter ─┬─▶ fMP4 rendition: muxer, window, playlists ─┐
//!  (from the ring) (one cut   │                                             ├─▶ Arc<Presentation>
//!                   for both) └─▶ TS rendition:   muxer, window, playlists ─┘   (HTTP shell)
//! ```
//!
//! - **One segmenter.** Segments begin at the same access units in both containers.
//! - **A container costs nothing until somebody asks for it** ([`Segmenter::enable`]). The
//!   segmenter holds the access units of the open segment (reference counts, no copies) and muxes
//!   them when the segment ends, for the containers that are on. While one container is off, the
//!   units of the newest complete segment are held as well, so that a container that is asked for
//!   later has a segment to play at once; its playlist begins with that segment.
//! - **The target duration is fixed when the first segment ends**: a segment is always shorter
//!   than `segment` + the longest group of pictures, so the target duration is that sum, rounded
//!   up, with the longest group seen until then (at least `segment`; at most
//!   [`Limits::max_target`]). Groups that outgrow it later are cut in their middle, and counted.
//! - **Media time is the publisher's.** Boundaries are absolute decode times converted to 90 kHz;
//!   durations are differences of boundaries as printed, so they add up over any stretch.
//!
//! [`folder`] reads what was written, VOD and EVENT playlists with their segments, as events, and writes the
//! playlists of files.
//!
//! Rules are named H1–H18 as in the project's list of HLS rules; RFC 8216 is the standard.
//! Deliberately absent: clocks, tasks, HTTP, low latency parts, encryption.

mod bandwidth;
mod config;
mod container;
mod cutter;
mod date;
pub mod folder;
mod mux;
mod playlist;
mod presentation;
mod rendition;
mod segmenter;
mod window;

pub use config::{Config, Limits, WallTime};
pub use container::Container;
pub use presentation::{Playlists, Presentation, Rendition, Resource, Text};
pub use remux::LeftOut;
pub use segmenter::{Segmenter, Stats};
