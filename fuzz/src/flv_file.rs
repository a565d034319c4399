//! FLV files, read over damage.

use bytes::Bytes;
use remux::Event;
use remux::flv::FileDemuxer;

/// Reads the data as a file, whole and in pieces; the first byte is their size.
///
/// # Panics
/// When the pieces give other events than the whole, or damage lies outside of the data.
pub fn flv_file(data: &[u8]) {
    let [step, data @ ..] = data else { return };
    let (whole, events) = demux(data, data.len());
    let (pieces, _) = demux(data, usize::from(*step).max(1));
    assert_eq!(pieces, whole, "in pieces of {step}");
    check_damage(&events, data.len());
}

/// All events as text and as they are.
fn demux(data: &[u8], step: usize) -> (Vec<String>, Vec<Event>) {
    let mut demuxer = FileDemuxer::default();
    let mut events = Vec::new();
    let mut log = Vec::new();
    let chunks = data.chunks(step.max(1)).map(Some).chain([None]);
    for chunk in chunks {
        match chunk {
            Some(chunk) => demuxer.push(Bytes::copy_from_slice(chunk)),
            None => demuxer.finish(),
        }
        loop {
            match demuxer.poll() {
                Ok(Some(event)) => {
                    log.push(format!("{event:?}"));
                    events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    // It stays.
                    log.push(error.to_string());
                    return (log, events);
                }
            }
        }
    }
    (log, events)
}

/// Damage lies within the data, and units have their bytes from there.
pub(crate) fn check_damage(events: &[Event], len: usize) {
    let mut bytes = 0;
    for event in events {
        match event {
            Event::Damage(damage) => {
                assert!(damage.bytes.start <= damage.bytes.end);
                assert!(damage.bytes.end <= len as u64, "{damage:?} of {len} bytes");
            }
            Event::Unit(unit) => bytes += unit.payload.len(),
            _ => {}
        }
    }
    // A length prefix takes a byte more than the shortest start code.
    assert!(bytes <= 2 * len, "{bytes} bytes of units from {len}");
}
