//! A viewer that stops reading: its socket stays open and fills up.

use std::convert::Infallible;

use super::{Connection, Seat};
use crate::Error;
use crate::shared::Phase;

/// Reads of what had queued up, at the end, to see whether the server closed behind it.
const LOOKS: usize = 1_024;

/// Holds the connection until the run is over, then looks whether the server had closed it.
pub(super) async fn hold(seat: &Seat<'_>, connection: Connection) -> Result<Infallible, Error> {
    seat.shared.reached(Phase::Over).await;
    let (Connection::Rtmp(mut transport, _)
    | Connection::Flv(mut transport, _)
    | Connection::WebSocket(mut transport, _)
    | Connection::Raw(mut transport, _)) = connection;
    for _ in 0..LOOKS {
        match transport.read_now(|_| ()).await {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(error) => {
                seat.tally.borrow_mut().stalled_closed += 1;
                return Err(error);
            }
        }
    }
    std::future::pending().await
}
