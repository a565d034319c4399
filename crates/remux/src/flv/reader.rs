//! Reads the fields of a tag body, one after the other.

use bytes::Bytes;
use media::FourCc;

use super::Error;

/// A place within a tag body; every read names what it reads, for the error.
pub(super) struct Reader<'a> {
    body: &'a Bytes,
    /// `0 <= at <= end <= body.len()`.
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Starts at byte `at` of `body`, which must be within it.
    pub(super) fn new(body: &'a Bytes, at: usize) -> Self {
        Self {
            body,
            at: at.min(body.len()),
            end: body.len(),
        }
    }

    /// Bytes from here to the end.
    pub(super) fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// Where we are, from the start of the body.
    pub(super) fn offset(&self) -> u64 {
        self.at as u64
    }

    /// The rest, without a copy.
    pub(super) fn rest(&self) -> Bytes {
        self.body.slice(self.at..self.end)
    }

    /// The next `len` bytes as a reader of their own; this one goes on behind them.
    pub(super) fn split(&mut self, len: usize, what: &'static str) -> Result<Self, Error> {
        if len > self.remaining() {
            return Err(self.truncated(what));
        }
        let part = Self {
            body: self.body,
            at: self.at,
            end: self.at + len,
        };
        self.at += len;
        Ok(part)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, Error> {
        let [a] = self.array(what)?;
        Ok(a)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(super) fn u24(&mut self, what: &'static str) -> Result<u32, Error> {
        let [a, b, c] = self.array(what)?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// Signed 24 bits: a composition offset.
    pub(super) fn i24(&mut self, what: &'static str) -> Result<i32, Error> {
        Ok(i24(self.array(what)?))
    }

    pub(super) fn four_cc(&mut self, what: &'static str) -> Result<FourCc, Error> {
        Ok(FourCc(self.array(what)?))
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let bytes = self.body.get(self.at..self.end).unwrap_or_default();
        let Some(&array) = bytes.first_chunk::<N>() else {
            return Err(self.truncated(what));
        };
        self.at += N;
        Ok(array)
    }

    fn truncated(&self, what: &'static str) -> Error {
        Error::Truncated {
            what,
            offset: self.end as u64,
        }
    }
}

/// Signed 24 bits, big endian.
pub(super) fn i24([a, b, c]: [u8; 3]) -> i32 {
    i32::from_be_bytes([a, b, c, 0]) >> 8
}
