//! The little HTTP/1.1 that a viewer needs: a GET, the head of the answer, its body.

use crate::Error;
use crate::address::Address;
use crate::clock::now_ns;
use crate::transport::{Dialer, Transport};

/// Longest head of an answer, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// Fields of a head.
const FIELDS: usize = 64;
/// Longest line with the size of a chunk, in bytes.
const CHUNK_LINE: usize = 256;

/// A GET with further fields, each ending in CRLF.
pub(crate) fn get(address: &Address, fields: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sidestream-bench\r\nAccept: */*\r\n{fields}\r\n",
        address.path, address.authority
    )
}

/// The head of an answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) location: Option<String>,
    pub(crate) keeps_alive: bool,
    body: Body,
}

/// How much of the body is to come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Until the connection ends.
    #[default]
    Endless,
    Bytes(u64),
    /// The size line of a chunk is due.
    ChunkSize,
    /// Bytes of a chunk, then its line end.
    Chunk(u64),
    /// Bytes of a chunk's line end.
    ChunkEnd(u8),
    /// Lines behind the last chunk.
    Trailer,
    Done,
}

/// Takes an answer apart, in any split.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    answer: Option<Answer>,
    /// The head, or a line within the body, as far as it is there.
    text: Vec<u8>,
}

impl Reader {
    /// The answer, once its head is there.
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// Whether the body has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.body == Body::Done)
    }

    /// Takes bytes and gives those of the body to `body`; what is behind the answer is dropped.
    ///
    /// # Errors
    /// When this is no HTTP, or `body` fails.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        body: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while !input.is_empty() {
            let Some(answer) = &mut self.answer else {
                let before = self.text.len();
                self.text.extend_from_slice(input);
                let Some((answer, head_len)) = parse_head(&self.text)? else {
                    return match self.text.len() < HEAD_BYTES {
                        true => Ok(()),
                        false => Err(Error::Protocol(
                            "the head of the answer is too long".to_owned(),
                        )),
                    };
                };
                // The head was not complete before this input.
                input = &input[head_len.saturating_sub(before)..];
                self.text.clear();
                self.answer = Some(answer);
                continue;
            };
            match &mut answer.body {
                Body::Done => return Ok(()),
                Body::Endless => return body(input),
                Body::Bytes(left) | Body::Chunk(left) => {
                    let len = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    let (part, rest) = input.split_at(len);
                    input = rest;
                    *left -= part.len() as u64;
                    if *left == 0 {
                        answer.body = match answer.body {
                            Body::Chunk(_) => Body::ChunkEnd(2),
                            _ => Body::Done,
                        };
                    }
                    body(part)?;
                }
                Body::ChunkEnd(left) => {
                    input = &input[1..];
                    *left -= 1;
                    if *left == 0 {
                        answer.body = Body::ChunkSize;
                    }
                }
                Body::ChunkSize | Body::Trailer => {
                    let (line, rest) = match input.iter().position(|&byte| byte == b'\n') {
                        Some(end) => input.split_at(end + 1),
                        None => (input, &[][..]),
                    };
                    input = rest;
                    self.text.extend_from_slice(line);
                    if self.text.len() > CHUNK_LINE {
                        return Err(Error::Protocol("a chunk's size is too long".to_owned()));
                    }
                    if !self.text.ends_with(b"\n") {
                        return Ok(());
                    }
                    answer.body = match answer.body {
                        Body::ChunkSize => chunk(&self.text)?,
                        _ if self.text == b"\r\n" || self.text == b"\n" => Body::Done,
                        other => other,
                    };
                    self.text.clear();
                }
            }
        }
        Ok(())
    }
}

fn chunk(line: &[u8]) -> Result<Body, Error> {
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((_, 0))) => Ok(Body::Trailer),
        Ok(httparse::Status::Complete((_, size))) => Ok(Body::Chunk(size)),
        _ => Err(Error::Protocol(format!(
            "{:?} is no chunk size",
            String::from_utf8_lossy(line).trim()
        ))),
    }
}

fn parse_head(text: &[u8]) -> Result<Option<(Answer, usize)>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let parsed = head
        .parse(text)
        .map_err(|error| Error::Protocol(format!("the answer is no HTTP ({error})")))?;
    let httparse::Status::Complete(len) = parsed else {
        return Ok(None);
    };
    let field = |name: &str| {
        let mut found = head
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        found
            .next()
            .and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let contains = |name, word: &str| {
        field(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let status = head.code.unwrap_or(0);
    let length = field("content-length").and_then(|value| value.trim().parse().ok());
    let body = match (status, length) {
        (101, _) => Body::Endless,
        (204 | 304, _) => Body::Done,
        _ if contains("transfer-encoding", "chunked") => Body::ChunkSize,
        (_, Some(0)) => Body::Done,
        (_, Some(length)) => Body::Bytes(length),
        (_, None) => Body::Endless,
    };
    let answer = Answer {
        status,
        reason: head.reason.unwrap_or_default().to_owned(),
        location: field("location").map(str::to_owned),
        keeps_alive: body != Body::Endless
            && head.version == Some(1)
            && !contains("connection", "close"),
        body,
    };
    Ok(Some((answer, len)))
}

impl Answer {
    /// An error unless it is what was asked for.
    pub(crate) fn expect(&self, status: u16) -> Result<(), Error> {
        match self.status == status {
            true => Ok(()),
            false => Err(Error::Refused(format!(
                "HTTP {} {}",
                self.status, self.reason
            ))),
        }
    }
}

/// One server, asked again and again over one connection while it stays open.
#[derive(Debug)]
pub(crate) struct Client {
    /// Spreads connections over source addresses.
    number: u32,
    open: Option<(Transport, String)>,
}

/// An answer with what it took.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) answer: Answer,
    /// Bytes on the wire, heads included.
    pub(crate) bytes: u64,
    /// From the request to the last byte.
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
}

impl Client {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, open: None }
    }

    /// Fetches; the bytes of the body go to `body` as they come, with the time at which they came.
    ///
    /// # Errors
    /// When the connection or the answer is broken; a status is no error.
    pub(crate) async fn fetch(
        &mut self,
        dialer: &Dialer,
        address: &Address,
        body: &mut impl FnMut(&[u8], u64) -> Result<(), Error>,
    ) -> Result<Fetched, Error> {
        let began_ns = now_ns();
        let server = format!("{}://{}", address.tls, address.authority);
        // A connection that was kept may have been closed meanwhile: only then is it tried again.
        if let Some((transport, to)) = self.open.take()
            && to == server
        {
            let mut transport = transport;
            match exchange(&mut transport, address, body).await {
                Ok((answer, bytes)) => {
                    return Ok(self.keep(transport, server, answer, bytes, began_ns));
                }
                Err((_, 0)) => {}
                Err((error, _)) => return Err(error),
            }
        }
        let mut transport = dialer.connect(address, self.number).await?;
        let (answer, bytes) = exchange(&mut transport, address, body)
            .await
            .map_err(|(error, _)| error)?;
        Ok(self.keep(transport, server, answer, bytes, began_ns))
    }

    fn keep(
        &mut self,
        transport: Transport,
        server: String,
        answer: Answer,
        bytes: u64,
        began_ns: u64,
    ) -> Fetched {
        if answer.keeps_alive {
            self.open = Some((transport, server));
        }
        Fetched {
            answer,
            bytes,
            began_ns,
            ended_ns: now_ns(),
        }
    }
}

/// One request and its answer; with an error, how many bytes had come.
async fn exchange(
    transport: &mut Transport,
    address: &Address,
    body: &mut impl FnMut(&[u8], u64) -> Result<(), Error>,
) -> Result<(Answer, u64), (Error, u64)> {
    let mut bytes = 0;
    transport
        .write_all(get(address, "").as_bytes())
        .await
        .map_err(|error| (error, bytes))?;
    let mut reader = Reader::default();
    while !reader.is_done() {
        let read = transport
            .read(|input| {
                let now = now_ns();
                bytes += input.len() as u64;
                reader.feed(input, &mut |part| body(part, now))
            })
            .await;
        match read {
            Ok(result) => result.map_err(|error| (error, bytes))?,
            // The end of a body without a length.
            Err(Error::Closed)
                if reader
                    .answer()
                    .is_some_and(|answer| answer.body == Body::Endless) =>
            {
                break;
            }
            Err(error) => return Err((error, bytes)),
        }
    }
    let answer = reader.answer.unwrap_or_default();
    Ok((answer, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(answer: &[u8], size: usize) -> (Reader, Vec<u8>) {
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        for part in answer.chunks(size) {
            let mut body = |bytes: &[u8]| {
                out.extend_from_slice(bytes);
                Ok(())
            };
            reader.feed(part, &mut body).unwrap();
        }
        (reader, out)
    }

    #[test]
    fn any_split_gives_the_same_body() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        ] {
            for size in 1..=answer.len() {
                let (reader, out) = read(answer, size);
                assert_eq!(out, b"abcde", "pieces of {size}");
                assert!(reader.is_done() && reader.answer().unwrap().keeps_alive);
            }
        }
    }

    #[test]
    fn a_body_without_a_length_ends_with_its_connection() {
        let (reader, out) = read(b"HTTP/1.1 200 OK\r\n\r\nab", 4);
        assert_eq!(out, b"ab");
        assert!(!reader.is_done() && !reader.answer().unwrap().keeps_alive);
    }

    #[test]
    fn heads_say_status_location_and_whether_the_connection_stays() {
        let (reader, _) = read(
            b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            99,
        );
        let answer = reader.answer().unwrap();
        assert_eq!(
            (answer.status, answer.location.as_deref()),
            (302, Some("/b"))
        );
        assert!(!answer.keeps_alive && reader.is_done());
        assert!(
            answer
                .expect(200)
                .unwrap_err()
                .to_string()
                .contains("HTTP 302 Found")
        );
        let broken = Reader::default().feed(b"RTMP\0\0\r\n\r\n", &mut |_| Ok(()));
        assert!(broken.unwrap_err().to_string().contains("no HTTP"));
    }
}
