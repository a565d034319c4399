//! A body of several pieces that are sent one behind the other: a segment that is its parts.
//!
//! hyper takes the pieces as they come and writes several by one vectored write: nothing is
//! joined, and nothing copied in user space.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// `len` bytes of `content` from `first` on; both lie within it.
pub(crate) fn body(content: &hls::Body, first: usize, len: usize) -> Body {
    let mut pieces = VecDeque::new();
    let (mut skip, mut left) = (first, len);
    for piece in content.pieces() {
        let begin = skip.min(piece.len());
        let end = piece.len().min(begin + left);
        skip -= begin;
        left -= end - begin;
        if end > begin {
            pieces.push_back(piece.slice(begin..end));
        }
    }
    match pieces.len() {
        0 => Body::empty(),
        1 => Body::from(pieces.pop_front().unwrap_or_default()),
        _ => Body::new(Pieces { pieces }),
    }
}

struct Pieces {
    pieces: VecDeque<Bytes>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left: usize = self.pieces.iter().map(Bytes::len).sum();
        SizeHint::with_exact(left as u64)
    }
}
