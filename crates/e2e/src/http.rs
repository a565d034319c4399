//! A small HTTP/1.1 client: one request a connection, bodies read as they come.

use crate::wait::secs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A whole response.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer coding, content coding kept.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }
}

/// Sends a request and reads the whole response.
///
/// # Errors
/// When the connection fails or nothing comes for 15 s.
pub fn request(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Response> {
    let (mut response, mut body) = open(method, address, path, headers)?;
    body.read_to_end(&mut response.body)?;
    Ok(response)
}

/// `GET` of a whole resource.
///
/// # Panics
/// When the connection fails or nothing comes for 15 s.
pub fn get(address: &str, path: &str) -> Response {
    get_with(address, path, &[])
}

/// `GET` with header fields.
///
/// # Panics
/// As [`get`].
pub fn get_with(address: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    request("GET", address, path, headers)
        .unwrap_or_else(|error| panic!("GET http://{address}{path}: {error}"))
}

/// `POST` of JSON.
///
/// # Panics
/// As [`get`].
pub fn post(address: &str, path: &str, json: &serde_json::Value) -> Response {
    let body = json.to_string();
    let length = body.len().to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
    ];
    let answer = || {
        let stream = send("POST", address, path, &headers, body.as_bytes())?;
        let (mut response, mut body) = receive("POST", stream)?;
        body.read_to_end(&mut response.body)?;
        Ok(response)
    };
    answer().unwrap_or_else(|error: std::io::Error| panic!("POST http://{address}{path}: {error}"))
}

/// Sends a request and returns the head and the body as a reader.
///
/// # Errors
/// When the connection fails, nothing comes for 15 s, or the answer is not HTTP.
pub fn open(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<(Response, Body)> {
    receive(method, send(method, address, path, headers, b"")?)
}

fn send(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(secs(15)))?;
    stream.set_write_timeout(Some(secs(15)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    Ok(stream)
}

fn receive(method: &str, stream: TcpStream) -> std::io::Result<(Response, Body)> {
    let mut reader = BufReader::new(stream);
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| invalid(&format!("status line {line:?}")))?;
    let mut fields = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let response = Response {
        status,
        headers: fields,
        body: Vec::new(),
    };
    let framing = if method == "HEAD" || matches!(status, 204 | 304) {
        Framing::Length(0)
    } else if response.header("transfer-encoding") == Some("chunked") {
        Framing::Chunked {
            left: 0,
            ended: false,
        }
    } else if let Some(len) = response.header("content-length") {
        Framing::Length(len.parse().map_err(|_| invalid("content-length"))?)
    } else {
        Framing::Close
    };
    Ok((response, Body { reader, framing }))
}

#[derive(Debug)]
enum Framing {
    Length(u64),
    Chunked { left: u64, ended: bool },
    Close,
}

/// The body of a response, decoded from its transfer coding while it comes.
#[derive(Debug)]
pub struct Body {
    reader: BufReader<TcpStream>,
    framing: Framing,
}

impl Body {
    /// The connection, to set timeouts or to shut it down.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.framing {
            Framing::Close => self.reader.read(buffer),
            Framing::Length(left) => {
                let take = buffer
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                let n = self.reader.read(&mut buffer[..take])?;
                *left -= n as u64;
                Ok(n)
            }
            Framing::Chunked { ended: true, .. } => Ok(0),
            Framing::Chunked { left, ended } => {
                let mut line = String::new();
                if *left == 0 {
                    self.reader.read_line(&mut line)?;
                    let digits = line.trim().split(';').next().unwrap_or_default();
                    *left = u64::from_str_radix(digits, 16).map_err(|_| {
                        let text = format!("chunk size {line:?}");
                        std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text)
                    })?;
                    if *left == 0 {
                        *ended = true;
                        return Ok(0);
                    }
                }
                let take = buffer
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                let n = self.reader.read(&mut buffer[..take])?;
                if n == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                *left -= n as u64;
                if *left == 0 {
                    line.clear();
                    self.reader.read_line(&mut line)?;
                }
                Ok(n)
            }
        }
    }
}
