//! What is read: a container behind one face.

mod hls;
mod mp4;
mod streamed;

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use remux::flv::FileDemuxer;
use remux::{Event, LeftOut, ts};

use self::streamed::Streamed;
use super::buffers::Buffers;
use super::output::is_standard;
use super::{Error, InputFormat};

/// Bytes that tell what a file is.
const SNIFF_LEN: usize = 4_096;

/// A file of any container, read as events.
///
/// # Contract
/// [`Source::next_event`] until it gives `None`. Times are unwrapped; whatever of the file cannot be
/// read is told as [`Event::Damage`], and reading goes on behind it.
pub struct Source {
    name: String,
    format: InputFormat,
    bytes_total: Option<u64>,
    container: Box<dyn Container>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens `path` (`-`: standard input), as `from` or as what its first bytes say.
    ///
    /// # Errors
    /// It cannot be read, or is none of [`InputFormat`].
    pub fn open(path: &Path, from: Option<InputFormat>) -> Result<Self, Error> {
        let reader = Reader::open(path)?;
        let (name, bytes_total) = (reader.name.clone(), reader.len);
        let head = reader.head.clone().unwrap_or_default();
        let head = head.get(..SNIFF_LEN).unwrap_or(&head);
        let nothing = |what| Error::Nothing {
            input: name.clone(),
            what,
        };
        let format = match from.or_else(|| InputFormat::sniff(head)) {
            Some(format) => format,
            None if head.is_empty() => return Err(nothing("is empty")),
            None => {
                return Err(nothing(
                    "is neither FLV, MPEG-TS, MP4 nor an HLS playlist; check the file or pass --from",
                ));
            }
        };
        let container: Box<dyn Container> = match format {
            InputFormat::Flv => Box::new(Streamed::<FileDemuxer>::new(reader)),
            InputFormat::Mp4 => Box::new(mp4::Mp4::new(reader)),
            InputFormat::Ts => Box::new(Streamed::<ts::Demuxer>::new(reader)),
            InputFormat::Hls if is_standard(path) => {
                return Err(Error::Usage(
                    "an HLS folder cannot come from standard input; name its playlist".to_owned(),
                ));
            }
            InputFormat::Hls => Box::new(hls::Hls::new(path, &name)),
        };
        Ok(Self {
            name,
            format,
            // Of a folder they are known when all has been read.
            bytes_total: bytes_total.filter(|_| format != InputFormat::Hls),
            container,
        })
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// Reading failed, or nothing of the file can be understood.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        self.container.next()
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    #[must_use]
    pub fn format(&self) -> InputFormat {
        self.format
    }

    /// Bytes that were read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.container.position()
    }

    /// Its bytes, when it is one file.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// How much of it was read, from 0 to 1, where that is known: by its bytes, of a folder by the
    /// time of its segments.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let share = match self.bytes_total {
            Some(len) => Some(self.position() as f64 / len.max(1) as f64),
            None => self.container.share(),
        };
        share.map(|share| share.min(1.0))
    }

    /// Tracks that nothing is known of but their names; known with the first list of tracks.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.container.left_out()
    }

    /// Programs of a transport stream that were found so far, and the number of the one that is read;
    /// empty for other containers.
    #[must_use]
    pub fn programs(&self) -> (Vec<ts::Program>, Option<u16>) {
        self.container.programs()
    }

    /// Whether the first list of tracks is the whole list.
    pub(super) fn announces_all(&self) -> bool {
        !matches!(self.format, InputFormat::Flv | InputFormat::Hls)
    }
}

/// Gives the events of a file, in its order.
trait Container {
    /// The next event; `None` at the end.
    fn next(&mut self) -> Result<Option<Event>, Error>;

    /// Bytes that were read so far.
    fn position(&self) -> u64;

    /// See [`Source::share`]; of what is no single file.
    fn share(&self) -> Option<f64> {
        None
    }

    /// See [`Source::programs`].
    fn programs(&self) -> (Vec<ts::Program>, Option<u16>) {
        (Vec::new(), None)
    }

    /// See [`Source::left_out`].
    fn left_out(&self) -> Vec<LeftOut> {
        Vec::new()
    }
}

/// A file or standard input that is read from front to back.
struct Reader {
    name: String,
    file: File,
    len: Option<u64>,
    buffers: Buffers,
    /// Read to find out what it is.
    head: Option<Bytes>,
    position: u64,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let failed = |error: io::Error| Error::read(&name, error);
        let file = if is_standard(path) {
            let stdin = rustix::io::dup(io::stdin()).map_err(|error| failed(error.into()))?;
            File::from(stdin)
        } else {
            File::open(path).map_err(failed)?
        };
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let mut reader = Self {
            len: metadata.is_file().then_some(metadata.len()),
            name: if is_standard(path) {
                "standard input".to_owned()
            } else {
                name
            },
            file,
            buffers: Buffers::default(),
            head: None,
            position: 0,
        };
        reader.head = Some(reader.first()?);
        Ok(reader)
    }

    /// The beginning, at least [`SNIFF_LEN`] bytes of it if there are so many.
    fn first(&self) -> Result<Bytes, Error> {
        let mut head = self.read_on()?;
        while !head.is_empty() && head.len() < SNIFF_LEN {
            let more = self.read_on()?;
            if more.is_empty() {
                break;
            }
            head = [head, more].concat().into();
        }
        Ok(head)
    }

    fn read_on(&self) -> Result<Bytes, Error> {
        let read = self.buffers.read(&self.file);
        read.map_err(|error| Error::read(&self.name, error))
    }

    /// The next bytes; empty at the end.
    fn next(&mut self) -> Result<Bytes, Error> {
        let bytes = match self.head.take() {
            Some(head) => head,
            None => self.read_on()?,
        };
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    /// Bytes from `offset` on, fewer than `len` perhaps; of a pipe those that come next, which are
    /// passed over up to there. Empty at the end.
    fn at(&mut self, offset: u64, len: usize) -> Result<Bytes, Error> {
        if self.len.is_some() {
            self.head = None;
            let read = self.buffers.read_at(&self.file, offset, len);
            let bytes = read.map_err(|error| Error::read(&self.name, error))?;
            self.position = self.position.max(offset + bytes.len() as u64);
            return Ok(bytes);
        }
        loop {
            let at = self.position;
            let mut bytes = self.next()?;
            let skipped = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            if bytes.is_empty() || skipped < bytes.len() {
                return Ok(bytes.split_off(skipped.min(bytes.len())));
            }
        }
    }
}
