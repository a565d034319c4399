//! One file at a time: opened under the names it may have, then read.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Step;
use super::playlist::Resource;

/// Bytes that are asked for at once.
pub(super) const READ_LEN: u64 = 1 << 20;

/// A file that is to be opened, or is open.
#[derive(Debug)]
pub(super) struct File {
    resource: Resource,
    /// The name as it was written is not there: the other one is tried.
    is_decoded: bool,
    opened: Option<Range<u64>>,
}

impl File {
    /// A file to be opened; an error when it may not be.
    pub(super) fn new(resource: &Resource) -> Result<Self, &'static str> {
        if resource.is_outside {
            return Err("it is outside of the playlist's folder");
        }
        Ok(Self {
            resource: resource.clone(),
            is_decoded: false,
            opened: None,
        })
    }

    pub(super) fn path(&self) -> &Arc<str> {
        match &self.resource.decoded {
            Some(decoded) if self.is_decoded => decoded,
            _ => &self.resource.path,
        }
    }

    /// Asks to open it; `None` when it is open.
    pub(super) fn open(&self) -> Option<Step> {
        self.opened
            .is_none()
            .then(|| Step::Open(Arc::clone(self.path())))
    }

    /// It has `len` bytes; gives the bytes that are missing of those that the playlist names.
    pub(super) fn opened(&mut self, len: u64) -> Option<Range<u64>> {
        let range = self.resource.range.clone().unwrap_or(0..len);
        self.opened = Some(range.start.min(len)..range.end.min(len));
        (range.end > len).then(|| range.start.max(len)..range.end)
    }

    /// It is not there under the name that was asked for; whether there is another to try.
    pub(super) fn refused(&mut self) -> bool {
        self.resource.decoded.is_some() && !std::mem::replace(&mut self.is_decoded, true)
    }

    /// The bytes that are read.
    pub(super) fn range(&self) -> Range<u64> {
        self.opened.clone().unwrap_or_default()
    }

    /// Asks for bytes from `at` on, an offset within [`File::range`].
    pub(super) fn read(&self, at: u64) -> Step {
        let len = self.range().end.saturating_sub(at).clamp(1, READ_LEN);
        Step::Read {
            path: Arc::clone(self.path()),
            offset: at,
            len: usize::try_from(len).unwrap_or(usize::MAX),
        }
    }
}

/// A small file on its way into memory.
#[derive(Debug)]
pub(super) struct Gather {
    pub(super) file: File,
    bytes: BytesMut,
    max: u64,
}

/// What became of a step of a [`Gather`].
#[derive(Debug)]
pub(super) enum Gathered {
    /// It goes on.
    More,
    /// This is all.
    All(Bytes),
    /// It cannot be had.
    Refused(String),
}

impl Gather {
    /// Gathers `max` bytes at most.
    pub(super) fn new(resource: &Resource, max: u64) -> Result<Self, &'static str> {
        Ok(Self {
            file: File::new(resource)?,
            bytes: BytesMut::new(),
            max,
        })
    }

    pub(super) fn ask(&self) -> Step {
        let at = self.file.range().start + self.bytes.len() as u64;
        self.file.open().unwrap_or_else(|| self.file.read(at))
    }

    pub(super) fn opened(&mut self, len: u64) -> Gathered {
        let missing = self.file.opened(len);
        let range = self.file.range();
        let size = range.end - range.start;
        if missing.is_some() {
            return Gathered::Refused(format!("it ends at byte {len}, within its range"));
        }
        if size > self.max {
            let max = self.max;
            return Gathered::Refused(format!("it has {size} bytes, more than {max}"));
        }
        match size {
            0 => Gathered::All(Bytes::new()),
            _ => Gathered::More,
        }
    }

    pub(super) fn refused(&mut self, why: &str) -> Gathered {
        match self.file.refused() {
            true => Gathered::More,
            false => Gathered::Refused(why.to_owned()),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Gathered {
        let range = self.file.range();
        let size = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let wanted = bytes.len().min(size - self.bytes.len());
        self.bytes
            .extend_from_slice(bytes.get(..wanted).unwrap_or_default());
        if self.bytes.len() >= size {
            Gathered::All(self.bytes.split().freeze())
        } else if bytes.is_empty() {
            let at = range.start + self.bytes.len() as u64;
            Gathered::Refused(format!("it ends at byte {at}"))
        } else {
            Gathered::More
        }
    }
}
