//! Chunks.

use rtmp::chunk::{Message, Reader};
use rtmp::{Error, Limits};

/// Reads chunks at once and in pieces; both must give the same messages and the same error.
///
/// The first byte is the size of the pieces, the second says whether media is allowed.
///
/// # Panics
/// When they do not.
pub fn rtmp_chunk_reader(data: &[u8]) {
    let [piece, media, chunks @ ..] = data else {
        return;
    };
    let whole = read(chunks, chunks.len().max(1), media % 2 == 1);
    let pieces = read(chunks, usize::from(*piece).max(1), media % 2 == 1);
    assert_eq!(whole, pieces);
}

fn read(chunks: &[u8], piece: usize, media: bool) -> (Vec<Message>, Option<Error>) {
    let mut reader = Reader::new(Limits::default(), 0);
    reader.allow_media(media);
    let mut messages = Vec::new();
    for mut input in chunks.chunks(piece) {
        loop {
            match reader.read(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
            reader.check_invariants();
        }
        assert!(input.is_empty(), "a reader takes all of its input");
        reader.check_invariants();
    }
    assert_eq!(reader.offset(), chunks.len() as u64);
    (messages, None)
}
