//! A playlist in pieces, most of which other playlists share.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::body::Body;

/// A playlist over what is kept.
#[derive(Debug)]
pub struct Answer {
    /// The text, in pieces to be sent one behind the other.
    pub pieces: Vec<Piece>,
    /// `ETag` value with its quotation marks; equal for equal texts.
    pub etag: String,
    /// Whether it ends with `EXT-X-ENDLIST`.
    pub ended: bool,
    /// The compressed form, made once by the shell.
    pub gzip: OnceLock<Body>,
}

/// A piece of a playlist's text.
#[derive(Clone, Debug)]
pub struct Piece {
    /// UTF-8.
    pub text: Bytes,
    /// Where its compressed form is kept, when others use the same piece.
    pub packed: Option<Arc<Packed>>,
}

/// A piece's compressed form, made once by the shell.
#[derive(Debug, Default)]
pub struct Packed(OnceLock<Bytes>);

impl Packed {
    /// The form that there is, or a new one.
    pub fn get_or_init(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.0.get_or_init(make).clone()
    }

    pub(super) fn len(&self) -> usize {
        self.0.get().map_or(0, Bytes::len)
    }
}

impl Answer {
    /// The whole text without a copy.
    #[must_use]
    pub fn body(&self) -> Body {
        let pieces: Vec<Bytes> = self.pieces.iter().map(|p| p.text.clone()).collect();
        Body::pieces_of(pieces)
    }
}
