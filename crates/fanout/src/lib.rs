//! The ring under every live stream: one writer, many readers of shared items.
//!
//! ```text
//!            first                          join points                     next
//!              ▼                     ▼                    ▼                  ▼
//!   slots   [ i i i i i i i i i i i J i i i i i i i i i i J i i i i i i i i ]  ◀── push
//!              ▲                          ▲                              ▲
//!           reader (slow)              new reader                  reader (up to date)
//! ```
//!
//! - The ring makes no writer wait. What is bounded is the ring: in bytes and in media time.
//! - A reader that falls out of the ring is told how many items it missed and resumes at the
//!   newest *join point*, with the header (what a late joiner must know) that was valid there.
//! - A reader can ask for every item ([`Ring::whole_reader`]: recordings, segments). Then only the
//!   bytes bound what it has not read, and the writer may wait for it ([`Ring::poll_relieved`]).
//! - Readers are few (workers, segmenters, push targets), not viewers: so one mutex guards a ring,
//!   and a push costs one lock, however many viewers stand behind the readers.
//! - With readers up to date, no more is kept than the last [`Config::keep_joins`] join points
//!   need; a stream that nobody reads costs its current group of pictures.
//!
//! Beside it, [`Ready`]: behind a reader that is a worker stand thousands of viewers, and it is told
//! which of their sockets have room again.
//!
//! Generic over the item: this crate knows nothing of media, and nothing of tokio (readers
//! register a [`std::task::Waker`]). Deliberately absent: clocks, threads, queues per reader.

mod pressure;
mod reader;
mod ready;
mod ring;
mod sync;

pub use reader::{Read, Reader};
pub use ready::Ready;
pub use ring::{Config, Entry, JoinAt, Ring};
