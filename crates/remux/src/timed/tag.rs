//! ID3v2.4 tags with one frame of text.
//!
//! ```text
//! "ID3" | version 4, 0 | flags 0 | size 4 × 7 bits |
//!   "TXXX" | size 4 × 7 bits | flags 0 0 | encoding 3 (UTF-8) | description | 0 | value
//! ```
//!
//! Spec: id3.org, ID3 tag version 2.4.0: structure §3.1 and §4, frames §4.2.6.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes of a tag's header, and of a frame's.
const HEADER_LEN: usize = 10;

/// A tag of one `TXXX` frame. Zero bytes of the description are left out: they would end it.
pub(super) fn text(description: &str, value: &str) -> Bytes {
    let content_len = 2 + description.len() + value.len();
    let mut content = Vec::with_capacity(content_len);
    content.push(3);
    content.extend(description.bytes().filter(|&byte| byte != 0));
    content.push(0);
    content.extend_from_slice(value.as_bytes());
    let mut out = BytesMut::with_capacity(2 * HEADER_LEN + content.len());
    out.put_slice(b"ID3\x04\0\0");
    out.put_slice(&size(HEADER_LEN + content.len()));
    out.put_slice(b"TXXX");
    out.put_slice(&size(content.len()));
    out.put_slice(&[0, 0]);
    out.put_slice(&content);
    out.freeze()
}

/// 28 bits, seven in a byte; more is not made.
fn size(len: usize) -> [u8; 4] {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    [21, 14, 7, 0].map(|shift| (len >> shift) as u8 & 0x7f)
}
