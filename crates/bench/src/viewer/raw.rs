//! The reference server's viewer: a chunk stream from the first byte on.

use crate::Error;
use crate::chunk_skipper::ChunkSkipper;
use crate::watch::Taking;

#[derive(Debug, Default)]
pub(super) struct Reader(ChunkSkipper);

impl Reader {
    pub(super) fn feed(&mut self, input: &[u8], taking: &mut Taking<'_>) -> Result<(), Error> {
        self.0.feed(input, taking)
    }
}
