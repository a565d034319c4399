//! Time shift: what is kept of a stream beyond its live window, and the playlists over it.
//!
//! ```text
//!   expired (fetchable while leased)    listed
//! [ block ] [ block ]  [ block ] [ block ] [ block ] ◀── push: a segment that is stored
//!                          ▲ first listed     ▲ open
//! ```
//!
//! - A **block** is a run of segments of one segmenter, stored in one file, with a log of its own
//!   ([`Line`]): the log is all that a restart needs, and goes when its file goes. A log that a crash cut
//!   off in the middle of a line is good up to the line before.
//! - **Numbers.** Segments keep their names. In playlists they are numbered from the first segment's
//!   media sequence number on, without a gap, over restarts too; so is the discontinuity sequence. A restart
//!   is one discontinuity.
//! - **Keys** are not kept: a log says how a segment is encrypted and the number of its key, and
//!   [`Index::key`] whether somebody may still need it.
//! - **Date ranges** are kept with the segments in which their cues came, and listed where they overlap what is.
//! - A segment that could not be stored is listed with `EXT-X-GAP`: the timeline goes on.
//! - **Text is rendered once.** A block's lines are one shared text; a playlist is a head and slices of
//!   such texts. A day of 2 s segments is 43 200 entries of 32 bytes and 1.6 MB of text.
//! - **Expiry.** A block whose end is older than the window leaves all lists, and is to be removed when
//!   every playlist that listed it has had the time that it lists to play (H3).
//!
//! Deliberately absent: files, clocks. The shell stores bytes and logs, and says what time it is.

mod answer;
mod ask;
mod block;
mod index;
mod line;
mod list;
mod ranges;
mod text;

pub use answer::{Answer, Packed, Piece};
pub use ask::{Ask, AskError};
pub use block::{BlockId, Head, Replayed};
pub use index::{Found, Index, Kept, KeptKey, Progress};
pub use line::{Flags, Line, LineError, Segment, Tracks};
pub use list::{Live, Missing, Past, ladder};
pub use ranges::Said;
