//! Accepting connections, also when the process has run out of file descriptors.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Waits between tries when accepting is impossible.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// One line in the log per this time, however long it lasts.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Accepts from one listener.
pub(crate) struct Acceptor {
    listener: TcpListener,
    pause: Duration,
    logged: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            pause: FIRST_PAUSE,
            logged: None,
        }
    }

    /// The next connection. What is wrong with one connection is skipped; what is wrong with the
    /// process (no file descriptor, no memory) is waited out. Cancel safe.
    pub(crate) async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let error = match self.listener.accept().await {
                Ok(accepted) => {
                    self.pause = FIRST_PAUSE;
                    return accepted;
                }
                Err(error) => error,
            };
            if concerns_one_connection(&error) {
                continue;
            }
            self.report(&error);
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn report(&mut self, error: &io::Error) {
        let now = Instant::now();
        let due = self
            .logged
            .is_none_or(|last| now.saturating_duration_since(last) >= LOG_EVERY);
        if due {
            self.logged = Some(now);
            tracing::warn!(
                %error,
                "http accepts no connections for now; raise the limit of open files, or lower \
                 limits.connections"
            );
        }
    }
}

/// Errors of the connection that was about to be accepted (accept(2), "Error handling").
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_waited_out() {
        // ENFILE, EMFILE, ENOMEM, ENOBUFS on Linux.
        for code in [23, 24, 12, 105] {
            assert!(
                !concerns_one_connection(&io::Error::from_raw_os_error(code)),
                "{code}"
            );
        }
        // ECONNABORTED, EPERM (a firewall).
        for code in [103, 1] {
            assert!(
                concerns_one_connection(&io::Error::from_raw_os_error(code)),
                "{code}"
            );
        }
    }
}
