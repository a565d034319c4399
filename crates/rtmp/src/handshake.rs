//! The handshake (RTMP 1.0 §5.2, and the digest form that Flash Player 9 brought).
//!
//! `rml_rtmp` does the work: it answers the plain and the digest form, either digest position, and
//! does not verify the last packet, as Flash clients send a wrong one. This module feeds it no byte
//! more than the handshake has, so that it never holds what follows.

use rml_rtmp::handshake::{Handshake as Inner, HandshakeProcessResult, PeerType};

use crate::Error;

/// C0 + C1 + C2, or S0 + S1 + S2.
const TOTAL: usize = 1 + 1536 + 1536;

/// A handshake under way. About 3 KiB, in an allocation of its own, gone when it is done.
pub(crate) struct Handshake {
    inner: Box<Inner>,
    /// Bytes taken from the peer, `0..=TOTAL`.
    received: usize,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// The server's side; speaks when it has heard C0.
    pub(crate) fn server() -> Self {
        Self {
            inner: Box::new(Inner::new(PeerType::Server)),
            received: 0,
        }
    }

    /// The client's side, and the C0 and C1 to begin with.
    pub(crate) fn client() -> Result<(Self, Vec<u8>), Error> {
        let mut inner = Box::new(Inner::new(PeerType::Client));
        let first = inner.generate_outbound_p0_and_p1().map_err(|_| failed(0))?;
        Ok((Self { inner, received: 0 }, first))
    }

    /// Takes bytes from `input`, moving it past them, and appends the answer to `out`. True when the
    /// handshake is done; the rest of `input` is chunks.
    pub(crate) fn read(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        if self.received == 0 {
            match input.first() {
                None => return Ok(false),
                Some(&byte) => check_version(byte)?,
            }
        }
        let (part, rest) = input.split_at(input.len().min(TOTAL - self.received));
        *input = rest;
        self.received += part.len();
        let offset = u64::try_from(self.received).unwrap_or(u64::MAX);
        match self.inner.process_bytes(part).map_err(|_| failed(offset))? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                out.extend_from_slice(&response_bytes);
                Ok(false)
            }
            HandshakeProcessResult::Completed { response_bytes, .. } => {
                out.extend_from_slice(&response_bytes);
                Ok(true)
            }
        }
    }
}

fn failed(offset: u64) -> Error {
    Error::Handshake {
        reason: "packet cannot be read",
        offset,
    }
}

fn check_version(byte: u8) -> Result<(), Error> {
    let protocol = match byte {
        3 => return Ok(()),
        0x16 | 0x80 => "tls: use rtmps, or the rtmps port",
        b'C' | b'D' | b'G' | b'H' | b'O' | b'P' => "http",
        6 | 8 => return Err(Error::UnsupportedVersion { version: byte }),
        _ => "an unknown protocol",
    };
    Err(Error::OtherProtocol { protocol, byte })
}

#[cfg(test)]
mod tests;
