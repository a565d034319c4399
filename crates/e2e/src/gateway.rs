//! An HTTP server between a client and another server, which may answer otherwise than that one:
//! whatever misbehaviour a test wants to see named.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::http::{self, Response};
use crate::wait::secs;

/// A request, as it came or as it is passed on.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// What stands behind `?`, if anything does.
    pub query: Option<String>,
    /// Fields, names in lower case, less those of the connection.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same without a header field.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    /// The same with another query.
    #[must_use]
    pub fn with_query(mut self, query: Option<&str>) -> Self {
        self.query = query.map(str::to_owned);
        self
    }

    /// The value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.as_deref().unwrap_or_default().split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A playlist is asked for.
    pub fn is_playlist(&self) -> bool {
        self.path.ends_with(".m3u8")
    }
}

/// The server behind.
#[derive(Clone, Debug)]
pub struct Upstream(String);

impl Upstream {
    /// Its answer, with an empty body of status 502 if there is none.
    pub fn ask(&self, asked: &Asked) -> Response {
        let query = asked.query.as_ref().map(|query| format!("?{query}"));
        let path = format!("{}{}", asked.path, query.unwrap_or_default());
        let headers: Vec<(&str, &str)> = asked
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        http::request(&asked.method, &self.0, &path, &headers).unwrap_or(Response {
            status: 502,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }
}

/// A running gateway. Its threads end with their connections, and the listener's with the process.
#[derive(Debug)]
pub struct Gateway {
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Gateway {
    /// Listens on a port of its own, before the server at `upstream`. `answer` makes each answer.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(
        upstream: &str,
        answer: impl Fn(Asked, &Upstream) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (answer, upstream) = (Arc::new(answer), Upstream(upstream.to_owned()));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (answer, upstream) = (Arc::clone(&answer), upstream.clone());
                // A client that leaves early is none of the test's business.
                thread::spawn(move || serve(client, |asked| answer(asked, &upstream)));
            }
        });
        Self { address }
    }

    /// The URL of a path, which starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// One request of a connection, and its answer.
fn serve(mut client: TcpStream, answer: impl Fn(Asked) -> Response) -> std::io::Result<()> {
    client.set_read_timeout(Some(secs(30)))?;
    client.set_write_timeout(Some(secs(30)))?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let mut asked = Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers: Vec::new(),
    };
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim_end().split_once(':') else {
            break;
        };
        let name = name.to_ascii_lowercase();
        if !matches!(name.as_str(), "host" | "connection") {
            asked.headers.push((name, value.trim().to_owned()));
        }
    }
    let is_head = asked.method == "HEAD";
    let response = answer(asked);
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        let of_connection = matches!(name.as_str(), "connection" | "transfer-encoding");
        // HEAD tells the length of what it does not send.
        if !of_connection && (name != "content-length" || is_head) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !is_head && response.status != 304 {
        head.push_str(&format!("content-length: {}\r\n", response.body.len()));
    }
    head.push_str("\r\n");
    client.write_all(head.as_bytes())?;
    if !is_head {
        client.write_all(&response.body)?;
    }
    Ok(())
}
