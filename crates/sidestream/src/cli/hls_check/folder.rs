//! Requests answered from a folder.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ::hls_check::{Answer, Outcome, Request, Url};

/// The folder of a playlist; nothing outside of it is read.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of the playlist at `path`, and the playlist's URL.
    pub(super) fn new(path: &Path) -> Result<(Self, Url), String> {
        let whole = path.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound => "no such file".to_owned(),
            _ => error.to_string(),
        })?;
        let url = Url::from_file_path(&whole).map_err(|()| "no path of a file".to_owned())?;
        let root = whole.parent().unwrap_or(Path::new("/")).to_owned();
        Ok((Self { root }, url))
    }

    /// What a server would say.
    pub(super) fn ask(&self, request: &Request) -> Outcome {
        let path = match request.url.scheme() {
            "file" => request.url.to_file_path().ok(),
            _ => None,
        };
        let Some(path) = path else {
            return Outcome::Failed("it is elsewhere, and only the folder is read".to_owned());
        };
        match self.read(&path, request) {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Outcome::Failed("no such file".to_owned())
            }
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn read(&self, path: &Path, request: &Request) -> std::io::Result<Outcome> {
        // Links that lead out are outside, too.
        let path = path.canonicalize()?;
        if !path.starts_with(&self.root) {
            return Ok(Outcome::Failed(
                "it is outside of the playlist's folder".to_owned(),
            ));
        }
        let mut file = std::fs::File::open(path)?;
        let range = request.headers.iter().find(|(name, _)| *name == "range");
        let range = range.and_then(|(_, value)| bytes_of(value));
        let mut len = request.max_body as u64 + 1;
        if let Some((start, last)) = range {
            file.seek(SeekFrom::Start(start))?;
            len = len.min((last + 1).saturating_sub(start));
        }
        let mut body = Vec::new();
        file.take(len).read_to_end(&mut body)?;
        if body.len() > request.max_body {
            return Ok(Outcome::TooLong);
        }
        Ok(Outcome::Answer(Answer {
            url: request.url.clone(),
            status: if range.is_some() { 206 } else { 200 },
            is_http2: false,
            headers: Vec::new(),
            body: body.into(),
        }))
    }
}

/// First and last byte of `bytes=a-b`.
fn bytes_of(value: &str) -> Option<(u64, u64)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
