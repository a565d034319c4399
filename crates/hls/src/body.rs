//! The bytes of a resource: one piece, or the parts that a segment is made of.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Content of a segment, part or init segment. Clones share it.
///
/// A segment that was published in parts is these parts: nothing is copied to join them.
#[derive(Clone, Debug)]
pub struct Body(Inner);

#[derive(Clone, Debug)]
enum Inner {
    One(Bytes),
    Parts(Arc<[Part]>),
    Pieces(Arc<[Bytes]>),
}

/// One part of a segment (RFC 8216bis §4.4.4.9).
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) duration_ms: u64,
    /// A decoder can start at its first picture.
    pub(crate) independent: bool,
    /// `None`: nothing came in its time (`GAP`).
    pub(crate) body: Option<Bytes>,
}

impl Body {
    pub(crate) fn parts(parts: Arc<[Part]>) -> Self {
        Self(Inner::Parts(parts))
    }

    /// These pieces, one behind the other.
    #[must_use]
    pub fn pieces_of(pieces: Vec<Bytes>) -> Self {
        Self(Inner::Pieces(pieces.into()))
    }

    /// The parts of a segment that was published so.
    pub(crate) fn as_parts(&self) -> &[Part] {
        match &self.0 {
            Inner::One(_) | Inner::Pieces(_) => &[],
            Inner::Parts(parts) => parts,
        }
    }

    /// The pieces, to be sent one behind the other.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        let (one, parts): (&[Bytes], &[Part]) = match &self.0 {
            Inner::One(one) => (std::slice::from_ref(one), &[]),
            Inner::Parts(parts) => (&[], parts),
            Inner::Pieces(pieces) => (pieces, &[]),
        };
        let parts = parts.iter().filter_map(|part| part.body.as_ref());
        one.iter().chain(parts)
    }

    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces().map(Bytes::len).sum()
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes in one piece; copies when there are several.
    #[must_use]
    pub fn joined(&self) -> Bytes {
        let mut pieces = self.pieces();
        let first = pieces.next().cloned().unwrap_or_default();
        if pieces.next().is_none() {
            return first;
        }
        let mut all = BytesMut::with_capacity(self.len());
        self.pieces().for_each(|piece| all.put_slice(piece));
        all.freeze()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::One(bytes))
    }
}
