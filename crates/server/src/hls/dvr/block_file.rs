//! The two files of a block that is being written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use hls::shift::Line;

/// The open block of a container: its media and its log, each good up to a known length.
pub(super) struct BlockFile {
    media: File,
    media_len: u32,
    log: File,
    log_len: u64,
    /// Lines that could not be written yet.
    owed: String,
}

impl BlockFile {
    /// New files; neither may be there. The log has its first line.
    pub(super) fn create(media: &Path, log: &Path, head: &Line) -> io::Result<Self> {
        let new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let file = Self {
            media: new(media)?,
            media_len: 0,
            log: new(log)?,
            log_len: 0,
            owed: String::new(),
        };
        let written = file.with_line(head);
        if written.is_err() {
            // What cannot even begin leaves nothing behind.
            let _ = std::fs::remove_file(log);
            let _ = std::fs::remove_file(media);
        }
        written
    }

    fn with_line(mut self, line: &Line) -> io::Result<Self> {
        self.line(line)?;
        Ok(self)
    }

    /// Appends media; gives where it begins. After an error the file is as it was.
    pub(super) fn media(&mut self, pieces: &mut dyn Iterator<Item = &Bytes>) -> io::Result<u32> {
        let begins = self.media_len;
        let mut len = 0_usize;
        let mut write = || {
            for piece in &mut *pieces {
                self.media.write_all(piece)?;
                len += piece.len();
            }
            Ok(())
        };
        let written: io::Result<()> = write();
        let ends = u32::try_from(len)
            .ok()
            .and_then(|len| begins.checked_add(len));
        match (written, ends) {
            (Ok(()), Some(ends)) => {
                self.media_len = ends;
                Ok(begins)
            }
            (written, _) => {
                take_back(&mut self.media, begins.into())?;
                written.and(Err(io::ErrorKind::FileTooLarge.into()))
            }
        }
    }

    /// Appends a line, after those that are owed. After an error the file is as it was.
    pub(super) fn line(&mut self, line: &Line) -> io::Result<()> {
        let text = format!("{}{line}\n", self.owed);
        if let Err(error) = self.log.write_all(text.as_bytes()) {
            take_back(&mut self.log, self.log_len)?;
            return Err(error);
        }
        self.log_len += text.len() as u64;
        self.owed.clear();
        Ok(())
    }

    /// A line that is written when it can be: now, or before the next one.
    pub(super) fn line_when_possible(&mut self, line: &Line) {
        if self.line(line).is_err() {
            self.owed.push_str(&format!("{line}\n"));
        }
    }
}

/// Cuts off what was written beyond a length.
fn take_back(file: &mut File, len: u64) -> io::Result<()> {
    use std::io::Seek as _;
    file.set_len(len)?;
    file.seek(io::SeekFrom::Start(len)).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_could_not_be_written_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (media, log) = (dir.path().join("a.media"), dir.path().join("a.log"));
        let head: Line = "sidestream-dvr 1 ts a 1 1 0 4".parse().unwrap();
        let mut file = BlockFile::create(&media, &log, &head).unwrap();
        assert!(BlockFile::create(&media, &log, &head).is_err());
        let pieces = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        assert_eq!(file.media(&mut pieces.iter()).unwrap(), 0);
        // A handle that cannot be written to.
        let sound = std::mem::replace(&mut file.media, File::open(&media).unwrap());
        assert!(file.media(&mut pieces.iter()).is_err());
        file.media = sound;
        assert_eq!(file.media(&mut pieces.iter()).unwrap(), 6);
        assert_eq!(std::fs::read(&media).unwrap(), b"onetwoonetwo");

        let gap: Line = "segment 1 0 2000 0 0 g".parse().unwrap();
        let whole: Line = "segment 2 2000 2000 0 6 i".parse().unwrap();
        let sound = std::mem::replace(&mut file.log, File::open(&log).unwrap());
        file.line_when_possible(&gap);
        assert!(file.line(&whole).is_err());
        file.log = sound;
        file.line(&whole).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text, format!("{head}\n{gap}\n{whole}\n"));
    }
}
