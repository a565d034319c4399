//! What a stream's ring holds.

use std::sync::Arc;

use media::timeline::Jump;
use media::{AccessUnit, DataMessage, Extra, TrackList};

/// One entry of a stream's ring, shared by all readers.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub item: Item,
    /// When, in milliseconds of the stream's clock.
    pub time_ms: i64,
    /// How far the stream was when this was pushed: the time of its leading track, the default
    /// video where there is one. Bounds in time are measured with it, as a track may run a minute
    /// ahead of another.
    pub clock_ms: i64,
    /// What was added to the publisher's own times to make those of the stream, in milliseconds.
    pub offset_ms: i64,
    /// Whether a late joiner may start here.
    pub join: bool,
}

/// What happens on a stream, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item {
    /// From here on these are the tracks.
    Tracks(Arc<TrackList>),
    /// One access unit of one of them.
    Unit(AccessUnit),
    /// A data message of the publisher.
    Data(Arc<DataMessage>),
    /// What the publisher says about one of the tracks besides its configuration.
    Extra(Arc<Extra>),
    /// The media that follows does not continue what came before.
    Discontinuity(Discontinuity),
}

/// Why media does not continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discontinuity {
    /// The publisher's clock broke.
    Clock(Jump),
    /// Another publisher session begins.
    NewSession,
}

/// A frame in the ring: cloning is a reference count.
#[derive(Clone, Debug)]
pub(crate) struct Shared(pub(crate) Arc<Frame>);

impl fanout::Entry for Shared {
    fn size_bytes(&self) -> usize {
        // The count of a small frame is dominated by its bookkeeping.
        const OVERHEAD_BYTES: usize = 160;
        OVERHEAD_BYTES
            + match &self.0.item {
                Item::Unit(unit) => unit.size_bytes(),
                Item::Data(data) => data.amf0.len(),
                Item::Extra(extra) => extra.flv_body.len(),
                Item::Tracks(_) | Item::Discontinuity(_) => 0,
            }
    }

    #[expect(
        clippy::misnamed_getters,
        reason = "the ring's bound follows the leading track"
    )]
    fn time_ms(&self) -> i64 {
        self.0.clock_ms
    }

    fn is_join_point(&self) -> bool {
        self.0.join
    }
}
