//! From box to box: which are read whole, which are passed over, and what is lost where there are none.

use super::{DemuxError, Demuxer, MAX_INDEX, State, Stop};
use crate::mp4::boxes::{Header, Kind, Parsed};

impl Demuxer {
    /// The boxes end here.
    fn finish(&mut self, at: u64) -> Result<(), Stop> {
        if !self.lanes.is_empty() {
            self.begin(None);
            return Ok(());
        }
        if self.movie.is_none() {
            let len = self.len.unwrap_or(at);
            return Err(DemuxError::NoMovie { len }.into());
        }
        self.state = State::End;
        Ok(())
    }

    /// Bytes that are no box begin here: what follows cannot be found.
    fn lost(&mut self, at: u64, why: String) -> Result<(), Stop> {
        if self.movie.is_none() && self.lanes.is_empty() {
            return Err(DemuxError::Malformed {
                offset: at,
                why: why.into(),
            }
            .into());
        }
        let end = self.len.unwrap_or(at).max(at);
        self.damage(at..end, why);
        self.finish(at)
    }

    pub(super) fn scan(&mut self, at: u64) -> Result<(), Stop> {
        if at == self.end() {
            return self.finish(at);
        }
        let header = match self.header(at) {
            Ok(header) => header,
            Err(Stop::Eof) if at >= self.end() => return self.finish(at),
            Err(Stop::Eof) => return self.lost(at, "a box header is cut off".to_owned()),
            Err(stop) => return Err(stop),
        };
        let header = match header {
            Parsed::Header(header) => header,
            Parsed::BadSize(size) => {
                return self.lost(at, format!("a box of {size} bytes is less than its header"));
            }
            Parsed::Short(_) => return self.lost(at, "a box header is cut off".to_owned()),
        };
        if !header.is_named() {
            let kind = header.kind.escape_ascii();
            return self.lost(at, format!("{kind} is no box type"));
        }
        let end = match header.len {
            Some(len) => at.saturating_add(len),
            None => self.end(),
        };
        let body = at + header.header_len;
        match &header.kind {
            b"mdat" => {
                if !self.lanes.is_empty() {
                    self.begin((end < self.end()).then_some(end));
                    return Ok(());
                }
                if end > self.end() {
                    return self.finish(self.end());
                }
            }
            // Its samples may lie anywhere: those before it first.
            b"moov" | b"moof" if !self.lanes.is_empty() => {
                self.begin(Some(at));
                return Ok(());
            }
            b"moov" => return self.whole_box(at, header, body, end),
            b"moof" | b"emsg" if self.movie.is_some() => {
                return self.whole_box(at, header, body, end);
            }
            _ => {}
        }
        if end > self.end() {
            let kind = header.kind.escape_ascii();
            return self.lost(at, format!("the {kind} box is cut off"));
        }
        self.state = State::Scan { at: end };
        Ok(())
    }

    fn header(&mut self, at: u64) -> Result<Parsed, Stop> {
        let low = at;
        match Header::parse(&self.fetch(at, 8, low)?) {
            Parsed::Short(len) => Ok(Header::parse(&self.fetch(at, len as u64, low)?)),
            parsed => Ok(parsed),
        }
    }

    /// Goes on with a box that is read whole, when it can be.
    fn whole_box(&mut self, at: u64, header: Header, body: u64, end: u64) -> Result<(), Stop> {
        let kind = header.kind;
        let len = end.saturating_sub(at);
        if end > self.end() {
            return self.cut_off(at, kind, len);
        }
        if len > MAX_INDEX {
            let error = DemuxError::TooLarge {
                kind,
                offset: at,
                len,
                max: MAX_INDEX,
            };
            return Err(error.into());
        }
        self.state = State::Body {
            at,
            body,
            end,
            kind,
        };
        Ok(())
    }

    /// A box that must be read whole is not all there.
    pub(super) fn cut_off(&mut self, at: u64, kind: Kind, len: u64) -> Result<(), Stop> {
        if self.movie.is_none() {
            return Err(DemuxError::CutOff {
                kind,
                offset: at,
                len,
                have: self.end().saturating_sub(at),
            }
            .into());
        }
        let kind = kind.escape_ascii();
        self.lost(at, format!("the {kind} box of {len} bytes is cut off"))
    }
}
