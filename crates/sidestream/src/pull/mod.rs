//! Media from elsewhere: FLV files, and streams of other servers over RTMP and HTTP-FLV.
//!
//! Whatever the input, it yields FLV tags: what [`publish::Publication`] sends and
//! [`remux::flv::Parser`] reads.

mod error;
mod http;
mod net;
mod rtmp_play;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use remux::flv::{Demuxer, Limits, Tag};

pub use error::PullError;

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 << 10;

/// Where media comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// An FLV file; `-` is standard input.
    File(PathBuf),
    /// `rtmp://` or `rtmps://`.
    Rtmp(rtmp::Url),
    /// `http://` or `https://` that answers with FLV.
    Http(::hyper::Uri),
}

impl FromStr for Input {
    type Err = PullError;

    fn from_str(text: &str) -> Result<Self, PullError> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Self::File(PathBuf::from(text)));
        };
        let wrong = |what: String| PullError::Url {
            url: without_query(text),
            what,
        };
        match scheme.to_ascii_lowercase().as_str() {
            "rtmp" | "rtmps" => {
                let url = text.parse::<rtmp::Url>();
                url.map(Self::Rtmp)
                    .map_err(|error| wrong(error.to_string()))
            }
            "http" | "https" => {
                let uri = text.parse::<::hyper::Uri>();
                uri.map(Self::Http)
                    .map_err(|error| wrong(error.to_string()))
            }
            "file" => Ok(Self::File(PathBuf::from(
                text.trim_start_matches("file://"),
            ))),
            other => Err(wrong(format!(
                "unknown scheme {other:?}; write a file, rtmp://, rtmps://, http:// or https://"
            ))),
        }
    }
}

impl std::fmt::Display for Input {
    /// Without the query, which may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) if path.as_os_str() == "-" => f.write_str("stdin"),
            Self::File(path) => path.display().fmt(f),
            Self::Rtmp(url) => {
                let stream = url.stream_key().split('?').next().unwrap_or_default();
                write!(f, "{}/{stream}", url.tc_url())
            }
            Self::Http(uri) => f.write_str(&without_query(&uri.to_string())),
        }
    }
}

fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// An open input that yields FLV tags in their order.
pub struct Source {
    input: Input,
    from: From,
}

enum From {
    File {
        file: Box<dyn Read + Send>,
        flv: Flv,
    },
    Memory {
        flv: Flv,
    },
    Http {
        body: http::Body,
        flv: Flv,
    },
    Rtmp(Box<rtmp_play::Player>),
}

/// What was read so far gave this.
enum Taken {
    Tag(Tag),
    Nothing,
    End,
}

struct Flv {
    /// `None` after the end or an error.
    demuxer: Option<Demuxer>,
    end: bool,
}

impl Flv {
    fn new() -> Self {
        Self {
            demuxer: Some(Demuxer::new(Limits::default())),
            end: false,
        }
    }
}

impl Source {
    /// Opens an input. A stream of a server must be there, or come within `wait`.
    ///
    /// # Errors
    /// [`PullError`] names the input, what went wrong and what to do.
    pub async fn open(input: &Input, wait: Duration) -> Result<Self, PullError> {
        let from = match input {
            Input::File(path) => From::File {
                file: open_file(path)?,
                flv: Flv::new(),
            },
            Input::Rtmp(url) => {
                From::Rtmp(Box::new(rtmp_play::Player::open(input, url, wait).await?))
            }
            Input::Http(uri) => From::Http {
                body: http::Body::open(input, uri, wait).await?,
                flv: Flv::new(),
            },
        };
        Ok(Self {
            input: input.clone(),
            from,
        })
    }

    /// An FLV file that is in memory already; `name` stands for it in errors.
    #[must_use]
    pub fn from_bytes(name: &str, bytes: Bytes) -> Self {
        let mut flv = Flv::new();
        if let Some(demuxer) = &mut flv.demuxer {
            demuxer.push(bytes);
        }
        flv.end = true;
        Self {
            input: Input::File(PathBuf::from(name)),
            from: From::Memory { flv },
        }
    }

    /// Whether it plays in real time by itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.from, From::Http { .. } | From::Rtmp(_))
    }

    /// Whether the end came with the connection and not by the server's word: the stream may go on.
    /// `false` before the end, and where the protocol has no word for it (HTTP/1.0).
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        match &self.from {
            From::File { .. } | From::Memory { .. } => false,
            From::Http { body, .. } => body.is_cut_off(),
            From::Rtmp(player) => player.is_cut_off(),
        }
    }

    /// The next tag; `None` at the end.
    ///
    /// # Errors
    /// [`PullError`]: damaged input, a broken connection.
    pub async fn next(&mut self) -> Result<Option<Tag>, PullError> {
        loop {
            if let From::Rtmp(player) = &mut self.from {
                return player.next(&self.input).await;
            }
            match self.take_tag()? {
                Taken::Tag(tag) => return Ok(Some(tag)),
                Taken::End => return Ok(None),
                Taken::Nothing => self.read_more().await?,
            }
        }
    }

    /// Takes a tag out of what was read.
    fn take_tag(&mut self) -> Result<Taken, PullError> {
        let (From::File { flv, .. } | From::Memory { flv } | From::Http { flv, .. }) =
            &mut self.from
        else {
            return Ok(Taken::End);
        };
        let damaged = |error| PullError::Flv {
            input: self.input.to_string(),
            error,
        };
        let Some(mut demuxer) = flv.demuxer.take() else {
            return Ok(Taken::End);
        };
        match demuxer.poll().map_err(damaged)? {
            None if flv.end => {
                demuxer.finish().map_err(damaged)?;
                Ok(Taken::End)
            }
            tag => {
                flv.demuxer = Some(demuxer);
                Ok(tag.map_or(Taken::Nothing, Taken::Tag))
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), PullError> {
        let (bytes, flv) = match &mut self.from {
            From::File { file, flv } => {
                let mut buffer = BytesMut::zeroed(READ_BYTES);
                // Local files: a short stall of the one task that reads it hurts nobody else.
                let count = file.read(&mut buffer).map_err(|error| PullError::Io {
                    input: self.input.to_string(),
                    error,
                })?;
                buffer.truncate(count);
                (buffer.freeze(), flv)
            }
            From::Http { body, flv } => (body.read(&self.input).await?, flv),
            From::Memory { .. } | From::Rtmp(_) => return Ok(()),
        };
        flv.end = bytes.is_empty();
        if let Some(demuxer) = &mut flv.demuxer {
            demuxer.push(bytes);
        }
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<Box<dyn Read + Send>, PullError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let open = || {
        let file = std::fs::File::open(path)?;
        match file.metadata()?.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok(file),
        }
    };
    match open() {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(PullError::Io {
            input: path.display().to_string(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests;
