//! MP4 (ISO/IEC 14496-12): ordinary, fragmented (CMAF), read and written.
//!
//! ```text
//!              fragments, live       FragmentMuxer   ftyp moov | moof mdat | moof mdat …
//! units  ─▶    a file in one go      FileMuxer       ftyp | mdat … | moov      or moov in front
//!              a recording           Recorder        ftyp free moov | moof mdat | …  ─▶ one mdat, moov
//!
//! bytes  ─▶    Demuxer               units, tracks, timed metadata, damage
//!              Repair                a cut-off recording ─▶ a sound ordinary file
//! ```
//!
//! All are state machines: the muxers give bytes and offsets to write, the readers ask for offsets
//! to read. Payload is never copied but where a fragment is wanted in one piece.
//!
//! # Edit lists
//!
//! Read: the empty edits at the front and the first media edit are one shift of the track's times
//! (§8.6.6). Samples outside of the edits are kept, with the times that the shift gives them.
//! Written: only in ordinary files, to place each track's first presentation.

mod boxes;
mod cache;
mod cbcs;
mod demuxer;
mod description;
mod edits;
mod emsg;
mod file_muxer;
mod fragment;
mod fragment_muxer;
mod in_band;
mod index;
mod init;
mod lane;
mod moov;
mod movie;
mod recorder;
mod repair;
mod runs;
mod sample;
mod sample_entry;
mod tables;
#[cfg(test)]
mod tests;
mod track;
mod write;

pub use self::cbcs::Protection;
pub use self::demuxer::{DemuxError, Demuxer, Input, Step};
pub use self::emsg::event_message;
pub use self::file_muxer::{FileMuxer, Front, Layout};
pub use self::fragment_muxer::FragmentMuxer;
pub use self::moov::Origin;
pub use self::recorder::Recorder;
pub use self::repair::{Repair, RepairStep, Repaired};
pub use self::write::Write;

/// Why something was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the units belongs to a carried track, or all of them are empty or damaged.
    #[error("no access unit to write in the fragment")]
    Empty,
    /// The samples are to be encrypted, and there is no key yet.
    #[error("no key to encrypt the fragment with")]
    NoKey,
    /// The fragment has more bytes than its 31-bit data offsets can say.
    #[error("fragment of {bytes} bytes is too large")]
    TooLarge {
        /// Media bytes.
        bytes: u64,
    },
    /// A unit has more bytes than the index can say.
    #[error("access unit of {bytes} bytes is too large; at most {max}", max = index::MAX_SAMPLE)]
    UnitTooLarge {
        /// Its length.
        bytes: u64,
    },
    /// The file has more bytes than the index can say: 256 TiB.
    #[error("file of {bytes} bytes is too large")]
    FileTooLarge {
        /// Its length so far.
        bytes: u64,
    },
    /// The tracks changed in a way that this file cannot carry: a new file is needed.
    #[error("{track} changed: {reason}; it needs a new file")]
    Changed {
        /// Which track.
        track: media::TrackId,
        /// What changed.
        reason: &'static str,
    },
}
