//! FLV files and HTTP-FLV bodies to tags.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Error, Limits};

/// Type, size, time and stream id before each tag's body.
const TAG_HEADER: usize = 11;
const TAG_HEADER_U32: u32 = 11;
/// Signature, version, flags, data offset.
const FILE_HEADER: usize = 9;
/// Longest file header that is skipped; all known files say 9.
const MAX_FILE_HEADER: u32 = 4_096;

/// What a tag holds; its wire number is the RTMP message type's too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Type 8: a body for [`super::Parser::audio`].
    Audio,
    /// Type 9: a body for [`super::Parser::video`].
    Video,
    /// Type 18: a body for [`super::data_message`].
    Script,
}

impl TagKind {
    /// 8, 9 or 18.
    #[must_use]
    pub fn wire(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }
}

/// One FLV tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it holds.
    pub kind: TagKind,
    /// Milliseconds, all 32 bits; wraps. (FLV calls it signed; RTMP does not, and neither do we.)
    pub timestamp: u32,
    /// What comes behind the tag's 11-byte header. A slice of the pushed input when it came whole.
    pub body: Bytes,
    /// Where the tag begins: bytes from the start of the file or HTTP body.
    pub offset: u64,
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.body.get(..8).unwrap_or(&self.body);
        write!(
            f,
            "Tag({:?} at {} ms, byte {}, {} bytes {}...)",
            self.kind,
            self.timestamp,
            self.offset,
            self.body.len(),
            head.escape_ascii()
        )
    }
}

/// Reads FLV from bytes as they come.
///
/// [`push`](Self::push) input, then [`poll`](Self::poll) until it gives `None`: that order avoids
/// all copies but of tags that straddle two pushes. Any split of the input gives the same tags.
/// After an error every `poll` gives the same error: the place of the next tag is unknown.
///
/// Tags are given as soon as their body is complete, without waiting for the size behind them; so
/// of a damaged size one learns one tag late.
#[derive(Debug)]
pub struct Demuxer {
    limits: Limits,
    state: State,
    /// Input not yet looked at.
    input: Bytes,
    /// The beginning of what `state` waits for, when it straddles pushes.
    gathered: BytesMut,
    /// Bytes taken from the input, without `gathered`.
    offset: u64,
    /// Bits of the file header: 4 audio, 1 video.
    flags: Option<u8>,
}

#[derive(Debug, Clone)]
enum State {
    FileHeader,
    /// Header bytes behind the ninth.
    MoreHeader(usize),
    /// The first size may be missing: some servers begin with a tag at once.
    FirstSize,
    /// The size behind a tag, or the zero before the first.
    Size {
        expected: u32,
    },
    TagHeader,
    Body {
        kind: TagKind,
        timestamp: u32,
        len: u32,
        offset: u64,
    },
    Failed(Error),
}

impl Demuxer {
    /// A demuxer at the start of a file.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::FileHeader,
            input: Bytes::new(),
            gathered: BytesMut::new(),
            offset: 0,
            flags: None,
        }
    }

    /// Takes the next bytes. Input that is still there is joined with it by a copy.
    pub fn push(&mut self, input: Bytes) {
        if self.input.is_empty() {
            self.input = input;
        } else {
            let mut joined = BytesMut::with_capacity(self.input.len() + input.len());
            joined.extend_from_slice(&self.input);
            joined.extend_from_slice(&input);
            self.input = joined.freeze();
        }
    }

    /// The next tag; `None`: needs more input.
    ///
    /// # Errors
    /// The bytes are not FLV, or damaged at the offset that [`Error`] names.
    pub fn poll(&mut self) -> Result<Option<Tag>, Error> {
        let result = self.step();
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
            self.input = Bytes::new();
            self.gathered = BytesMut::new();
        }
        result
    }

    /// Whether the file header announces audio and video; `None` before it was read. Often wrong.
    #[must_use]
    pub fn announced(&self) -> Option<(bool, bool)> {
        self.flags.map(|flags| (flags & 4 != 0, flags & 1 != 0))
    }

    /// Bytes read so far: the offset of what is waited for.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Says that no more input comes.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the file ends within a tag or its header; the error that stopped
    /// the demuxer, if one did.
    pub fn finish(self) -> Result<(), Error> {
        let what = match self.state {
            State::FileHeader | State::MoreHeader(_) => "file header",
            State::Body { .. } => "tag",
            State::TagHeader if !self.gathered.is_empty() => "tag header",
            State::Failed(error) => return Err(error),
            _ => return Ok(()),
        };
        Err(Error::Truncated {
            what,
            offset: self.offset + self.gathered.len() as u64,
        })
    }

    fn step(&mut self) -> Result<Option<Tag>, Error> {
        loop {
            match self.state {
                State::FileHeader => {
                    let Some(header) = self.take_array::<FILE_HEADER>() else {
                        return Ok(None);
                    };
                    let [b'F', b'L', b'V', _version, flags, a, b, c, d] = header else {
                        return Err(Error::NotFlv);
                    };
                    self.flags = Some(flags);
                    let len = u32::from_be_bytes([a, b, c, d]);
                    if len > MAX_FILE_HEADER {
                        return Err(Error::Undefined {
                            what: "file header length",
                            value: len,
                            offset: 5,
                        });
                    }
                    self.state = State::MoreHeader((len as usize).saturating_sub(FILE_HEADER));
                }
                State::MoreHeader(len) => {
                    if self.take(len).is_none() {
                        return Ok(None);
                    }
                    self.state = State::FirstSize;
                }
                State::FirstSize => {
                    self.state = match self.input.first() {
                        None => return Ok(None),
                        Some(0) => State::Size { expected: 0 },
                        Some(_) => State::TagHeader,
                    };
                }
                State::Size { expected } => {
                    let offset = self.offset;
                    let Some(found) = self.take_array().map(u32::from_be_bytes) else {
                        return Ok(None);
                    };
                    // Writers that leave it zero, or forget the header's 11 bytes, are common.
                    let without_header = expected.saturating_sub(TAG_HEADER_U32);
                    if found != expected && found != 0 && found != without_header {
                        return Err(Error::PreviousTagSize {
                            found,
                            expected,
                            offset,
                        });
                    }
                    self.state = State::TagHeader;
                }
                State::TagHeader => {
                    let offset = self.offset;
                    let Some(header) = self.take_array::<TAG_HEADER>() else {
                        return Ok(None);
                    };
                    self.state = self.tag_header(header, offset)?;
                }
                State::Body {
                    kind,
                    timestamp,
                    len,
                    offset,
                } => {
                    let Some(body) = self.take(len as usize) else {
                        return Ok(None);
                    };
                    let expected = len + TAG_HEADER_U32;
                    self.state = State::Size { expected };
                    return Ok(Some(Tag {
                        kind,
                        timestamp,
                        body,
                        offset,
                    }));
                }
                State::Failed(ref error) => return Err(error.clone()),
            }
        }
    }

    fn tag_header(&self, header: [u8; TAG_HEADER], offset: u64) -> Result<State, Error> {
        let [kind, s0, s1, s2, t0, t1, t2, t3, ..] = header;
        let kind = match kind {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            18 => TagKind::Script,
            filtered if filtered & 0xe0 == 0x20 => return Err(Error::Encrypted { offset }),
            value => {
                return Err(Error::Undefined {
                    what: "tag type",
                    value: value.into(),
                    offset,
                });
            }
        };
        let len = u32::from_be_bytes([0, s0, s1, s2]);
        if len > self.limits.tag_bytes {
            return Err(Error::TagTooLong {
                len,
                max: self.limits.tag_bytes,
                offset,
            });
        }
        Ok(State::Body {
            kind,
            timestamp: u32::from_be_bytes([t3, t0, t1, t2]),
            len,
            offset,
        })
    }

    /// The next `len` bytes: a slice of the input when they are all in it.
    fn take(&mut self, len: usize) -> Option<Bytes> {
        if self.gathered.is_empty() && self.input.len() >= len {
            self.offset += len as u64;
            return Some(self.input.split_to(len));
        }
        let missing = len - self.gathered.len();
        let part = self.input.split_to(missing.min(self.input.len()));
        self.gathered.extend_from_slice(&part);
        if self.gathered.len() < len {
            return None;
        }
        self.offset += len as u64;
        Some(self.gathered.split().freeze())
    }

    fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[cfg(test)]
mod tests;
