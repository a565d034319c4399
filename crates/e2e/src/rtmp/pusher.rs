//! Publishes FLV tags exactly as they are.

use super::client::{Client, Message};
use crate::flv::Tag;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How fast tags are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the server reads.
    Unpaced,
    /// By their timestamps, so many times faster than real time. A step of more than 200 ms
    /// (a jump of the clock, a gap) is not waited for.
    Times(f64),
}

/// Sends tags as RTMP messages, timestamps and bodies unchanged. Returns after the last one.
///
/// # Errors
/// When the connection fails.
pub fn push_tags(client: &mut Client, tags: &[Tag], pace: Pace) -> io::Result<()> {
    let start = Instant::now();
    let mut due = Duration::ZERO;
    let mut last = tags.first().map_or(0, |tag| tag.timestamp_ms);
    for tag in tags {
        if let Pace::Times(factor) = pace {
            let step = tag.timestamp_ms.wrapping_sub(last);
            if step <= 200 {
                due += Duration::from_millis(u64::from(step)).div_f64(factor);
            }
            last = tag.timestamp_ms;
            sleep(due.saturating_sub(start.elapsed()));
        }
        let (csid, payload) = match tag.kind {
            8 => (4, tag.body.clone()),
            9 => (6, tag.body.clone()),
            18 => (5, with_set_data_frame(&tag.body)),
            _ => continue,
        };
        let message = Message {
            kind: tag.kind,
            timestamp_ms: tag.timestamp_ms,
            stream: client.stream_id(),
            payload,
        };
        client.send(csid, &message)?;
    }
    Ok(())
}

/// Encoders send `onMetaData` behind `@setDataFrame`; files hold it without.
fn with_set_data_frame(body: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"\x02\x00\x0aonMetaData";
    const PREFIX: &[u8] = b"\x02\x00\x0d@setDataFrame";
    if body.starts_with(NAME) {
        [PREFIX, body].concat()
    } else {
        body.to_vec()
    }
}
