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
//! - **Low latency** ([`Config::part`]) is fMP4's: the open segment is muxed part by part, and a
//!   complete segment is its parts, not a copy of them. What a blocked request waits for, the core
//!   says ([`Presentation::blocking`], [`Presentation::is_hinted`]); the shell waits.
//! - **Media time is the publisher's.** Boundaries are absolute decode times converted to 90 kHz;
//!   durations are differences of boundaries as printed, so they add up over any stretch.
//!
//! - **Data messages** become timed metadata in both containers ([`Segmenter::data`]).
//!
//! [`shift`] indexes what is kept beyond the live window, and makes playlists over it (DVR, catch-up).
//!
//! [`folder`] reads what was written, VOD and EVENT playlists with their segments, as events, and writes the
//! playlists of files.
//!
//! Rules are named H1–H18 as in the project's list of HLS rules; RFC 8216 is the standard.
//! Deliberately absent: clocks, tasks, HTTP, chance: keys are given ([`KeySource`]).

mod bandwidth;
mod blocking;
mod body;
mod config;
mod container;
mod cutter;
mod date;
mod encryption;
mod feed;
pub mod folder;
mod ladder;
mod mux;
mod parts;
mod playlist;
mod presentation;
mod rendition;
mod segmenter;
pub mod shift;
mod timed;
mod window;

pub use blocking::{Blocking, DirectiveError, Directives, Skip, Until};
pub use body::Body;
pub use config::{Config, Limits, WallTime};
pub use container::Container;
pub use encryption::{Encryption, KeySource, Method, Rotation, Sealed};
pub use feed::{Feed, PlaylistName};
pub use ladder::{Ladder, LadderError, LadderField, LadderRule, MAX_RUNGS, Rung, Standing};
pub use playlist::{Classic, Named};
pub use presentation::{
    About, Complete, Playlists, Presentation, Rendition, Resource, Text, ladder_playlist,
};
pub use remux::{Key, LeftOut};
pub use segmenter::{Segmenter, Stats};
pub use timed::DateRange;
