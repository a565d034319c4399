//! A playlist compressed piece by piece: most of its pieces were compressed for others already.
//!
//! ```text
//! gzip head (RFC 1952) │ deflate blocks of piece 1, flushed │ … of piece n │ last block │ sum, length
//! ```
//!
//! Each piece is compressed by itself and ends at a whole byte (a flush, RFC 1951), so that pieces can stand
//! one behind the other as one stream.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use hls::shift::Answer;

const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty block that is the last one.
const LAST: [u8; 2] = [0x03, 0x00];

/// The compressed form of a playlist, made once.
pub(crate) fn of(answer: &Answer) -> hls::Body {
    let body = answer.gzip.get_or_init(|| {
        let mut crc = Crc::new();
        let mut pieces = vec![Bytes::from_static(&HEAD)];
        for piece in &answer.pieces {
            crc.update(&piece.text);
            pieces.push(match &piece.packed {
                Some(packed) => packed.get_or_init(|| deflated(&piece.text)),
                None => deflated(&piece.text),
            });
        }
        let mut tail = LAST.to_vec();
        tail.extend_from_slice(&crc.sum().to_le_bytes());
        tail.extend_from_slice(&crc.amount().to_le_bytes());
        pieces.push(tail.into());
        hls::Body::pieces_of(pieces)
    });
    body.clone()
}

/// Deflate blocks that end with a flush.
fn deflated(text: &[u8]) -> Bytes {
    let mut encoder = Compress::new(Compression::new(6), false);
    let mut out = Vec::with_capacity(text.len() / 6 + 64);
    loop {
        let taken = usize::try_from(encoder.total_in()).unwrap_or(usize::MAX);
        let rest = text.get(taken..).unwrap_or_default();
        let status = encoder.compress_vec(rest, &mut out, FlushCompress::Sync);
        let done = encoder.total_in() == text.len() as u64 && out.len() < out.capacity();
        match status {
            Ok(Status::Ok) if !done => out.reserve(text.len() / 6 + 64),
            // Compressing to memory does not fail; an empty answer would be noticed.
            _ => return out.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read as _;
    use std::sync::{Arc, OnceLock};

    #[test]
    fn pieces_become_one_stream() {
        let line = |n: usize| format!("#EXTINF:2,\n19a3f2c4d5e-{n}.m4s\n");
        let long: String = (0..20_000).map(line).collect();
        let texts = ["#EXTM3U\n", &long, "", "#EXT-X-ENDLIST\n"];
        let packed = Arc::new(hls::shift::Packed::default());
        let answer = |skip: usize| Answer {
            pieces: texts
                .iter()
                .skip(skip)
                .map(|text| hls::shift::Piece {
                    text: Bytes::copy_from_slice(text.as_bytes()),
                    packed: (text.len() > 1_000).then(|| Arc::clone(&packed)),
                })
                .collect(),
            etag: String::new(),
            ended: true,
            gzip: OnceLock::new(),
        };
        for skip in [0, 1, 3] {
            let answer = answer(skip);
            let body = of(&answer).joined();
            let mut text = String::new();
            flate2::read::GzDecoder::new(&body[..])
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, texts[skip..].concat());
            assert!(body.len() < text.len() / 4 + 200);
        }
    }
}
