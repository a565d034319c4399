//! Aggregate messages (RTMP 1.0 §7.1.6): several messages in one, as FLV tags.

use bytes::{Buf, Bytes};

use super::type_id;
use crate::chunk::Message;

/// The messages inside an aggregate message, in order.
///
/// ```text
/// type 1 | length 3 | timestamp 3 | its bits 24..31, 1 | stream 3 | payload | back pointer 4 | …
/// ```
///
/// Timestamps are shifted so that the first one equals the aggregate's own, as the specification
/// says; the stream of each is the aggregate's. Reading ends at the first sub-message that is cut
/// off, and aggregates inside aggregates are skipped.
#[derive(Debug, Clone)]
pub struct Aggregate {
    csid: u32,
    message_stream_id: u32,
    timestamp: u32,
    /// The first sub-message's timestamp.
    first: Option<u32>,
    rest: Bytes,
}

impl Aggregate {
    /// The messages inside `message`; payloads are slices of its payload.
    pub fn new(message: Message) -> Self {
        Self {
            csid: message.csid,
            message_stream_id: message.message_stream_id,
            timestamp: message.timestamp,
            first: None,
            rest: message.payload,
        }
    }
}

impl Iterator for Aggregate {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            let &[type_id, l0, l1, l2, t0, t1, t2, t3, ..] = self.rest.first_chunk::<11>()?;
            self.rest.advance(11);
            let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
            let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
            if length > self.rest.len() {
                self.rest.clear();
                return None;
            }
            let payload = self.rest.split_to(length);
            // The last back pointer is missing in some senders' aggregates.
            self.rest.advance(self.rest.len().min(4));
            let first = *self.first.get_or_insert(timestamp);
            if type_id == type_id::AGGREGATE {
                continue;
            }
            return Some(Message {
                csid: self.csid,
                message_stream_id: self.message_stream_id,
                timestamp: self.timestamp.wrapping_add(timestamp.wrapping_sub(first)),
                type_id,
                payload,
            });
        }
    }
}
