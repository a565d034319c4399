//! A WebSocket reader (RFC 6455), enough to receive binary messages from a server.

use crate::wait::secs;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

/// A client connection.
#[derive(Debug)]
pub struct WebSocket {
    reader: BufReader<TcpStream>,
}

impl WebSocket {
    /// Opens `ws://address/path`.
    ///
    /// # Errors
    /// When the server does not switch protocols; the message holds its status line.
    pub fn open(address: &str, path: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(secs(15)))?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status)?;
        let mut accept = String::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("sec-websocket-accept")
            {
                value.trim().clone_into(&mut accept);
            }
        }
        // The key above is the RFC's own example, and so is the answer to it.
        if !status.contains(" 101 ") || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
            return Err(Error::new(ErrorKind::InvalidData, status.trim().to_owned()));
        }
        Ok(Self { reader })
    }

    /// The next binary message; `None` when the server closed the socket. Pings are answered.
    ///
    /// # Errors
    /// When nothing comes for 15 s or the server breaks the protocol.
    pub fn message(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        loop {
            let mut head = [0; 2];
            match self.reader.read_exact(&mut head) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && message.is_empty() => {
                    return Ok(None);
                }
                other => other?,
            }
            if head[1] & 0x80 != 0 {
                return Err(Error::new(ErrorKind::InvalidData, "masked server frame"));
            }
            let len = match head[1] {
                126 => {
                    let mut len = [0; 2];
                    self.reader.read_exact(&mut len)?;
                    u64::from(u16::from_be_bytes(len))
                }
                127 => {
                    let mut len = [0; 8];
                    self.reader.read_exact(&mut len)?;
                    u64::from_be_bytes(len)
                }
                len => u64::from(len),
            };
            let mut payload = vec![0; usize::try_from(len).unwrap()];
            self.reader.read_exact(&mut payload)?;
            let last = head[0] & 0x80 != 0;
            match head[0] & 0x0f {
                0 | 2 => {
                    message.extend_from_slice(&payload);
                    if last {
                        return Ok(Some(message));
                    }
                }
                8 => return Ok(None),
                9 => self.pong(&payload)?,
                10 => {}
                other => {
                    let text = format!("frame with opcode {other}");
                    return Err(Error::new(ErrorKind::InvalidData, text));
                }
            }
        }
    }

    fn pong(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let len = u8::try_from(payload.len()).unwrap_or(125);
        let mut frame = vec![0x8a, 0x80 | len, 0, 0, 0, 0];
        frame.extend_from_slice(&payload[..usize::from(len)]);
        self.reader.get_mut().write_all(&frame)
    }
}
