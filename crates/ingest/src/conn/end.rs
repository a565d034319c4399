//! The end of a connection: why, and what is said of it.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hub::{CloseCause, Revoked};
use media::StreamName;
use rtmp::{ErrorKind, ServerSession};

use super::Connection;
use crate::publishing::Stop;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("closed by the peer")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Rtmp(#[from] rtmp::Error),
    #[error("{0}")]
    Stopped(Stop),
    #[error("refused: {0}")]
    Refused(String),
    #[error("the relay is shutting down")]
    Draining,
}

impl Connection {
    /// Gives up the streams it published.
    pub(super) fn leave(&mut self, end: &End, session: &mut ServerSession) {
        for publishing in self.publishing.drain(..) {
            let cause = match end {
                End::Stopped(Stop::Revoked(why)) => CloseCause::Revoked(why.clone()),
                End::Draining => CloseCause::Revoked(Revoked::Draining),
                other => CloseCause::Lost(other.to_string().into()),
            };
            if matches!(end, End::Draining) {
                let why = "the relay is shutting down";
                session.end_publish(
                    publishing.message_stream_id,
                    "NetStream.Publish.Failed",
                    why,
                );
            }
            publishing.close(Instant::now(), cause);
        }
    }

    pub(super) fn log(&self, end: &End) {
        let (conn, peer) = (&self.id, self.peer);
        let stream = self
            .publishing
            .first()
            .map(|publishing| publishing.publisher.stream().name());
        let stream = stream.map_or("", StreamName::as_str);
        let violation = match end {
            End::Rtmp(error) => matches!(
                error.kind(),
                ErrorKind::PeerViolation | ErrorKind::Limit | ErrorKind::Unsupported
            ),
            End::Stopped(Stop::TooFast { .. }) => true,
            _ => false,
        };
        if violation {
            self.shared
                .counters
                .violations
                .fetch_add(1, Ordering::Relaxed);
        }
        match end {
            End::Rtmp(error) if error.kind() == ErrorKind::Bug => {
                tracing::error!(%conn, %peer, %stream, %error, "rtmp connection closed");
            }
            End::Refused(_) | End::Stopped(_) => {
                tracing::info!(%conn, %peer, %stream, reason = %end, "rtmp connection closed");
            }
            End::Rtmp(error) if violation => {
                tracing::info!(%conn, %peer, %stream, reason = %error, "rtmp connection closed");
            }
            other => {
                tracing::debug!(%conn, %peer, %stream, reason = %other, "rtmp connection closed")
            }
        }
    }
}
