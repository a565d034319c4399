//! Lists of parameter sets in avcC and hvcC: 16-bit length, then the NAL unit.

use bytes::Bytes;

use super::Error;

/// Longest parameter set in bytes. Threat: it is copied to be parsed; real ones have less than
/// 200 (with scaling lists: 1 KiB).
pub(super) const MAX_SET_BYTES: usize = 4 << 10;
/// Most parameter sets of one record. Threat: a record of 64 KiB names 32 767 empty ones.
pub(super) const MAX_SETS: usize = 32;

/// A place in a configuration record.
pub(super) struct Record<'a> {
    what: &'static str,
    raw: &'a Bytes,
    /// `0 <= at <= raw.len()`.
    at: usize,
    sets: usize,
}

impl<'a> Record<'a> {
    /// Starts at byte `at` of `raw`, which is of the kind `what`.
    pub(super) fn new(what: &'static str, raw: &'a Bytes, at: usize) -> Self {
        Self {
            what,
            raw,
            at: at.min(raw.len()),
            sets: 0,
        }
    }

    /// An error here.
    pub(super) fn error(&self, why: &str) -> Error {
        Error::new(self.what, self.at, why)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let Some(&array) = rest.first_chunk::<N>() else {
            return Err(Error::new(self.what, self.raw.len(), "cut off"));
        };
        self.at += N;
        Ok(array)
    }

    /// The next parameter set, a slice of the record.
    pub(super) fn set(&mut self) -> Result<Bytes, Error> {
        let len = usize::from(u16::from_be_bytes(self.array()?));
        if len > self.raw.len() - self.at {
            return Err(Error::new(
                self.what,
                self.raw.len(),
                "cut off within a parameter set",
            ));
        }
        if len > MAX_SET_BYTES {
            return Err(self.error("parameter set of more than 4096 bytes"));
        }
        if self.sets == MAX_SETS {
            return Err(self.error("more than 32 parameter sets"));
        }
        self.sets += 1;
        let set = self.raw.slice(self.at..self.at + len);
        self.at += len;
        Ok(set)
    }
}
