//! What is remembered of each chunk stream.

/// What is remembered of one chunk stream.
#[derive(Debug, Default)]
pub(super) struct ChunkStream {
    pub(super) csid: u32,
    pub(super) message_stream_id: u32,
    /// Absolute time of the current or last message, in milliseconds.
    pub(super) timestamp: u32,
    /// The last header's timestamp (type 0) or delta (types 1 and 2), in milliseconds.
    pub(super) time: u32,
    /// Length of the current or last message, in bytes.
    pub(super) length: u32,
    pub(super) type_id: u8,
    /// Whether the last header had an extended timestamp.
    pub(super) extended: bool,
    /// Whether a message was begun and is not finished.
    pub(super) in_message: bool,
    /// What came of that message; no longer than `length`.
    pub(super) buffer: Vec<u8>,
}

impl ChunkStream {
    /// Bytes of the current message that have not come yet.
    pub(super) fn missing(&self) -> usize {
        usize::try_from(self.length)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.buffer.len())
    }
}

/// The chunk streams of a connection, found by id without hashing: a table for the ids of the
/// one-byte form, which is all that most peers use, and a sorted list for the others.
#[derive(Debug)]
pub(super) struct ChunkStreams {
    slots: Vec<ChunkStream>,
    /// Slot plus one for ids below 64; 0 when there is none.
    low: [u16; 64],
    /// Id and slot, sorted by id, for ids from 64.
    high: Vec<(u32, u16)>,
    /// Given out when a slot does not exist, which never happens.
    nowhere: ChunkStream,
}

impl Default for ChunkStreams {
    fn default() -> Self {
        let (slots, high) = (Vec::new(), Vec::new());
        Self {
            slots,
            low: [0; 64],
            high,
            nowhere: ChunkStream::default(),
        }
    }
}

impl ChunkStreams {
    /// How many chunk streams can be remembered: slots are numbered in 16 bits.
    pub(super) const CAPACITY: usize = 65_000;

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot of a chunk stream that was seen before.
    pub(super) fn find(&self, csid: u32) -> Option<usize> {
        let index = usize::try_from(csid).unwrap_or(usize::MAX);
        match self.low.get(index) {
            Some(slot) => usize::from(*slot).checked_sub(1),
            None => {
                let position = self.high.binary_search_by_key(&csid, |(id, _)| *id).ok()?;
                self.high.get(position).map(|(_, slot)| usize::from(*slot))
            }
        }
    }

    /// Adds a chunk stream that `find` does not know, and returns its slot.
    pub(super) fn insert(&mut self, csid: u32) -> usize {
        let slot = self.slots.len();
        self.slots.push(ChunkStream {
            csid,
            ..ChunkStream::default()
        });
        let index = usize::try_from(csid).unwrap_or(usize::MAX);
        let number = u16::try_from(slot).expect("the reader inserts no more than CAPACITY");
        match self.low.get_mut(index) {
            Some(low) => *low = number + 1,
            None => {
                let position = self.high.partition_point(|(id, _)| *id < csid);
                self.high.insert(position, (csid, number));
            }
        }
        slot
    }

    pub(super) fn get(&self, slot: usize) -> Option<&ChunkStream> {
        self.slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> &mut ChunkStream {
        self.slots.get_mut(slot).unwrap_or(&mut self.nowhere)
    }

    /// Count and buffer capacity of unfinished messages, recounted.
    pub(super) fn unfinished(&self) -> (usize, usize) {
        let count = self.slots.iter().filter(|stream| stream.in_message).count();
        (
            count,
            self.slots
                .iter()
                .map(|stream| stream.buffer.capacity())
                .sum(),
        )
    }
}
