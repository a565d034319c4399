//! Sessions. The handshake is given in front: fuzzing would never get through its 3 KiB.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rtmp::{
    ClientConfig, ClientEvent, ClientSession, Error, Limits, ServerConfig, ServerEvent,
    ServerSession, StreamEnd,
};

/// C0, C1 and C2, or S0, S1 and S2, of the plain form.
static HANDSHAKE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
});

/// Where virtual time begins; nothing depends on which instant it is.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Plays a client's bytes to a server session.
///
/// The first byte is the size of the pieces that arrive together, the second decides what the shell
/// answers (bits 0 to 2: refuse connect, publish, play; bit 3: end what was accepted; bit 4: a
/// second passes with each piece).
///
/// # Panics
/// When an invariant does not hold.
pub fn rtmp_server_session(data: &[u8]) {
    let [piece, policy, bytes @ ..] = data else {
        return;
    };
    let mut now = *START;
    let mut session = ServerSession::new(Arc::new(ServerConfig::default()), Limits::default(), now);
    if session.handle_input(now, &HANDSHAKE).is_err() {
        return;
    }
    for input in bytes.chunks(usize::from(*piece).max(1)) {
        let received = session.handle_input(now, input);
        let outcome = received.and_then(|()| decide(&mut session, *policy));
        session.check_invariants();
        // The shell reads answers always; the session's own limit is for shells that cannot.
        while session.poll_transmit().is_some() {}
        if outcome.is_err() {
            assert!(
                session.handle_input(now, &[0]).is_err(),
                "no input after an error"
            );
            return;
        }
        if policy & 16 != 0 {
            now += Duration::from_secs(1);
            if session.handle_timeout(now).is_err() {
                return;
            }
        }
        assert!(
            session.poll_timeout().is_some_and(|at| at > now),
            "no timeout in the past"
        );
    }
}

fn decide(session: &mut ServerSession, policy: u8) -> Result<(), Error> {
    while let Some(event) = session.poll_event() {
        let refuse = |bit: u8| policy & bit != 0;
        match event {
            ServerEvent::Connect(_) if refuse(1) => session.reject_connect("code", "text")?,
            ServerEvent::Connect(_) => session.accept_connect()?,
            ServerEvent::Publish(request) => {
                let id = request.message_stream_id;
                if refuse(2) {
                    session.reject_publish(id, "code", "text")?;
                } else {
                    session.accept_publish(id)?;
                }
                if refuse(8) {
                    session.end_publish(id, "code", "text");
                }
            }
            ServerEvent::Play(request) => {
                let id = request.message_stream_id;
                if refuse(4) {
                    session.reject_play(id, "code", "text")?;
                } else {
                    session.accept_play(id)?;
                }
                if refuse(8) {
                    session.end_play(id, StreamEnd::Complete);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Plays a server's bytes to a client session.
///
/// The first byte is the size of the pieces that arrive together, the second says whether the client
/// plays (even) or publishes (odd).
///
/// # Panics
/// When an invariant does not hold.
pub fn rtmp_client_session(data: &[u8]) {
    let [piece, purpose, bytes @ ..] = data else {
        return;
    };
    let now = *START;
    let config = ClientConfig::new("live", "rtmp://host/live", "key");
    let mut session = match purpose % 2 {
        0 => ClientSession::play(config, Limits::default(), now),
        _ => ClientSession::publish(config, Limits::default(), now),
    };
    if session.handle_input(now, &HANDSHAKE).is_err() {
        return;
    }
    let mut ready = 0;
    for input in bytes.chunks(usize::from(*piece).max(1)) {
        let outcome = session.handle_input(now, input);
        session.check_invariants();
        while session.poll_transmit().is_some() {}
        while let Some(event) = session.poll_event() {
            let media = matches!(event, ClientEvent::Video { .. } | ClientEvent::Audio { .. });
            assert!(!media || ready == 1, "media comes after ready");
            ready += usize::from(event == ClientEvent::Ready);
        }
        assert!(ready <= 1, "ready once");
        if outcome.is_err() {
            return;
        }
    }
}
