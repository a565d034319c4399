#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use super::*;

/// A core past the handshake.
fn core() -> Core {
    let mut core = Core::server(Limits::default(), Instant::now());
    let mut hello = vec![0; 1 + 2 * 1536];
    hello[0] = 3;
    core.note_input(core.now, hello.len()).unwrap();
    assert!(matches!(
        core.next(&mut &hello[..]),
        Ok(Some(Input::HandshakeDone))
    ));
    core.poll_transmit();
    core
}

/// What the core says after `len` more bytes.
fn acknowledged(core: &mut Core, len: usize) -> Option<u32> {
    core.note_input(core.now, len).unwrap();
    core.acknowledge();
    let bytes = core.poll_transmit()?;
    assert_eq!((bytes.len(), bytes[7]), (16, type_id::ACKNOWLEDGEMENT));
    Some(u32::from_be_bytes(bytes[12..].try_into().unwrap()))
}

#[test]
fn acknowledged_total_wraps_at_4_gib_and_goes_on() {
    let mut core = core();
    core.ack_window = 1000;
    core.received = u64::from(u32::MAX) - 500;
    core.acknowledged = core.received;
    assert_eq!(acknowledged(&mut core, 999), None);
    assert_eq!(acknowledged(&mut core, 1), Some(499));
    assert_eq!(acknowledged(&mut core, 1000), Some(1499));
}

#[test]
fn one_call_sends_one_acknowledgement_however_small_the_window() {
    let mut core = core();
    core.ack_window = 1;
    assert_eq!(acknowledged(&mut core, 1_000_000), Some(1_003_073));
    assert_eq!(acknowledged(&mut core, 0), None);
}

#[test]
fn nothing_is_acknowledged_during_the_handshake() {
    let mut core = Core::server(Limits::default(), Instant::now());
    core.ack_window = 1;
    core.note_input(core.now, 100).unwrap();
    core.acknowledge();
    assert_eq!(core.poll_transmit(), None);
}

#[test]
fn time_never_runs_backwards() {
    let mut core = core();
    let later = core.now + std::time::Duration::from_secs(5);
    core.note_time(later);
    core.note_input(core.created, 1).unwrap();
    assert_eq!((core.now, core.last_input), (later, later));
}
