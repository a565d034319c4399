//! Pieces of the file that were read and may be wanted again.
//!
//! A seekable file keeps the few that were used last, so that tracks which lie far apart in it can
//! be read in turns. A pipe keeps everything that is still to be used.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Pieces of a seekable file that are kept besides those in use: some tracks of a badly
/// interleaved file, and the tables.
const MAX_PIECES: usize = 8;

#[derive(Debug)]
struct Piece {
    offset: u64,
    bytes: Bytes,
    /// When it was used last.
    used: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// Pieces of the file, in order and without overlap.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pieces: Vec<Piece>,
    uses: u64,
}

impl Cache {
    /// `len` bytes from `offset`: a slice when one piece has them, else gathered by a copy.
    ///
    /// # Errors
    /// The first offset that has not been read.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> Result<Bytes, u64> {
        let behind = self.pieces.partition_point(|piece| piece.offset <= offset);
        let first = behind.checked_sub(1).ok_or(offset)?;
        let end = offset + len as u64;
        let mut reached = offset;
        self.uses += 1;
        for (n, piece) in self.pieces.iter_mut().enumerate().skip(first) {
            if piece.offset > reached || piece.end() < reached {
                break;
            }
            piece.used = self.uses;
            reached = piece.end();
            if reached >= end {
                let pieces = self.pieces.get(first..=n).unwrap_or_default();
                return Ok(join(pieces, offset, len));
            }
        }
        Err(reached)
    }

    /// Keeps `bytes` that were read at `offset`; what is there already stays.
    pub(super) fn insert(&mut self, offset: u64, mut bytes: Bytes) {
        let at = self.pieces.partition_point(|piece| piece.offset <= offset);
        let mut start = offset;
        if let Some(before) = at.checked_sub(1).and_then(|at| self.pieces.get(at)) {
            let known = before.end().saturating_sub(offset).min(bytes.len() as u64);
            // Not more than the length of `bytes`.
            drop(bytes.split_to(usize::try_from(known).unwrap_or(0)));
            start += known;
        }
        if let Some(after) = self.pieces.get(at) {
            let fits = after.offset.saturating_sub(start);
            bytes.truncate(usize::try_from(fits).unwrap_or(usize::MAX));
        }
        if !bytes.is_empty() {
            self.uses += 1;
            let piece = Piece {
                offset: start,
                bytes,
                used: self.uses,
            };
            self.pieces.insert(at, piece);
        }
    }

    /// Drops what lies before `low`.
    pub(super) fn forget_before(&mut self, low: u64) {
        let gone = self.pieces.iter().take_while(|piece| piece.end() <= low);
        let gone = gone.count();
        self.pieces.drain(..gone);
    }

    /// Drops what was not used for longest and is not in `needed`.
    pub(super) fn trim(&mut self, needed: &Range<u64>) {
        while self.pieces.len() > MAX_PIECES {
            let idle = self.pieces.iter().enumerate();
            let idle = idle
                .filter(|(_, piece)| piece.offset >= needed.end || piece.end() <= needed.start)
                .min_by_key(|(_, piece)| piece.used)
                .map(|(n, _)| n);
            match idle {
                Some(n) => drop(self.pieces.remove(n)),
                None => break,
            }
        }
    }

    /// Where the piece that holds `offset` ends, or the next begins: bytes from there on need not
    /// be read again.
    pub(super) fn next_known(&self, offset: u64) -> Option<u64> {
        let at = self.pieces.partition_point(|piece| piece.offset <= offset);
        self.pieces.get(at).map(|piece| piece.offset)
    }
}

/// `len` bytes from `offset` of contiguous pieces that have them.
fn join(pieces: &[Piece], offset: u64, len: usize) -> Bytes {
    let within = |piece: &Piece, from: u64, len: usize| {
        let from = usize::try_from(from - piece.offset).unwrap_or(usize::MAX);
        let from = from.min(piece.bytes.len());
        let to = from.saturating_add(len).min(piece.bytes.len());
        piece.bytes.slice(from..to)
    };
    if let [piece] = pieces {
        return within(piece, offset, len);
    }
    let mut out = BytesMut::with_capacity(len);
    for piece in pieces {
        let slice = within(piece, offset + out.len() as u64, len - out.len());
        out.extend_from_slice(&slice);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_piece_is_sliced_and_several_are_joined() {
        let mut cache = Cache::default();
        let piece = Bytes::from_static(b"0123456789");
        cache.insert(100, piece.clone());
        let slice = cache.get(102, 3).unwrap();
        assert_eq!(
            (&slice[..], slice.as_ptr()),
            (&b"234"[..], piece[2..].as_ptr())
        );
        assert_eq!(cache.get(99, 2), Err(99));
        assert_eq!(cache.get(108, 4), Err(110));
        assert_eq!(cache.get(200, 1), Err(200));
        cache.insert(112, Bytes::from_static(b"cd"));
        assert_eq!(cache.next_known(110), Some(112));
        // Overlaps on both sides are cut off.
        cache.insert(109, Bytes::from_static(b"9abcd"));
        assert_eq!(&cache.get(108, 6).unwrap()[..], b"89abcd");
        assert_eq!(cache.get(108, 0).unwrap(), Bytes::new());
    }

    #[test]
    fn pieces_in_use_are_kept() {
        let mut cache = Cache::default();
        for n in 0..20 {
            cache.insert(n * 10, Bytes::from_static(b"0123456789"));
        }
        cache.trim(&(25..151));
        assert!(cache.get(20, 140).is_ok() && cache.get(10, 1).is_err());
        cache.forget_before(150);
        assert!(cache.get(150, 10).is_ok() && cache.get(149, 1).is_err());
    }
}
