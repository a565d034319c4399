//! Boxes as they are read and written: header, children, fields.
//!
//! ```text
//! | u32 size | type | body …              size 0: to the end of the file
//! | 1        | type | u64 size | body …   sizes count the header
//! ```
//!
//! Spec: ISO/IEC 14496-12 §4.2.

use bytes::Bytes;

/// A box type.
pub(super) type Kind = [u8; 4];

/// The beginning of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes of header and body; `None`: to the end of the file. Not less than `header_len`.
    pub(super) len: Option<u64>,
    /// 8 or 16.
    pub(super) header_len: u64,
}

/// What came of reading a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Header(Header),
    /// This many bytes are needed.
    Short(usize),
    /// The size is less than the header's own.
    BadSize(u64),
}

impl Header {
    /// Whether the type is made of characters that types are made of: printable ones, and the
    /// QuickTime copyright sign. Other bytes are media, or damage.
    pub(super) fn is_named(&self) -> bool {
        let is_name = |byte: u8| byte == 0xa9 || (0x20..0x7f).contains(&byte);
        self.kind.into_iter().all(is_name)
    }

    /// Reads the header at the beginning of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Parsed {
        let mut fields = Fields(bytes);
        let (Some(size), Some(kind)) = (fields.u32(), fields.array()) else {
            return Parsed::Short(8);
        };
        let (len, header_len) = match size {
            0 => (None, 8),
            1 => match fields.u64() {
                Some(size) => (Some(size), 16),
                None => return Parsed::Short(16),
            },
            size => (Some(u64::from(size)), 8),
        };
        match len {
            Some(len) if len < header_len => Parsed::BadSize(len),
            len => Parsed::Header(Self {
                kind,
                len,
                header_len,
            }),
        }
    }
}

/// The boxes in a box's body. Ends at the first that cannot be one; a last box that is longer than
/// its parent is cut to it.
#[derive(Clone, Debug)]
pub(super) struct Children {
    rest: Bytes,
}

pub(super) fn children(body: &Bytes) -> Children {
    Children { rest: body.clone() }
}

/// The body of the first child of this kind.
pub(super) fn child(body: &Bytes, kind: &Kind) -> Option<Bytes> {
    children(body)
        .find(|(found, _)| found == kind)
        .map(|(_, body)| body)
}

impl Iterator for Children {
    type Item = (Kind, Bytes);

    fn next(&mut self) -> Option<(Kind, Bytes)> {
        let Parsed::Header(header) = Header::parse(&self.rest) else {
            return None;
        };
        let whole = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let len = header.len.unwrap_or(whole).min(whole);
        let mut this = self.rest.split_to(usize::try_from(len).ok()?);
        // Never more than the box: `len` is not less than the header, and the header was there.
        let body = this.split_off(usize::try_from(header.header_len).ok()?);
        Some((header.kind, body))
    }
}

/// Big-endian numbers from the front of a slice; `None` past its end, nothing is taken then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// Version and flags of a full box (§4.2.2).
    pub(super) fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// 64 bits in version 1, 32 in version 0.
    pub(super) fn time(&mut self, version: u8) -> Option<u64> {
        match version {
            0 => self.u32().map(u64::from),
            _ => self.u64(),
        }
    }

    /// Bytes up to the next zero, which is taken too; as text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        std::str::from_utf8(text).ok()
    }
}

/// Writes a box: its size is filled in when `body` has been written.
pub(super) fn put_box(out: &mut Vec<u8>, kind: &Kind, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    body(out);
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(size) = out.get_mut(start..start + 4) {
        size.copy_from_slice(&len.to_be_bytes());
    }
}

/// Writes a full box (§4.2.2).
pub(super) fn put_full_box(
    out: &mut Vec<u8>,
    kind: &Kind,
    version: u8,
    flags: u32,
    body: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, kind, |out| {
        put_u32(out, u32::from(version) << 24 | flags);
        body(out);
    });
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_8_or_16_bytes_or_no_end() {
        let header = |len, header_len| {
            Parsed::Header(Header {
                kind: *b"mdat",
                len,
                header_len,
            })
        };
        assert_eq!(Header::parse(b"\0\0\0\x09mdat"), header(Some(9), 8));
        assert_eq!(Header::parse(b"\0\0\0\0mdat"), header(None, 8));
        let long = b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0";
        assert_eq!(Header::parse(long), header(Some(1 << 32), 16));
        assert_eq!(Header::parse(&long[..15]), Parsed::Short(16));
        assert_eq!(Header::parse(&long[..7]), Parsed::Short(8));
        assert_eq!(Header::parse(b"\0\0\0\x07mdat"), Parsed::BadSize(7));
        let short = b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f";
        assert_eq!(Header::parse(short), Parsed::BadSize(15));
    }

    #[test]
    fn children_are_cut_to_their_parent() {
        let body = Bytes::from_static(b"\0\0\0\x0aaaaaxy\0\0\0\xffbbbbz");
        let found: Vec<_> = children(&body).collect();
        assert_eq!(
            found,
            [
                (*b"aaaa", Bytes::from_static(b"xy")),
                (*b"bbbb", Bytes::from_static(b"z"))
            ]
        );
        assert_eq!(child(&body, b"bbbb").as_deref(), Some(&b"z"[..]));
        assert_eq!(children(&Bytes::from_static(b"\0\0\0\x02aaaa")).count(), 0);
    }

    #[test]
    fn written_boxes_know_their_size() {
        let mut out = Vec::new();
        put_full_box(&mut out, b"moov", 1, 2, |out| {
            put_box(out, b"trak", |out| put_u16(out, 7));
        });
        assert_eq!(out, b"\0\0\0\x16moov\x01\0\0\x02\0\0\0\x0atrak\0\x07");
    }
}
