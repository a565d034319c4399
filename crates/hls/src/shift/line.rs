//! The log of a block, line by line.
//!
//! ```text
//! sidestream-dvr 1 fmp4 19a3f2c4d5e 57012345 57012345 0 4
//!      format, container, epoch (hex), sequence, number, discontinuities before, target in seconds
//! tracks 1 0 1245 640x360 25000 avc1.42c01e,mp4a.40.2
//!      init version, its place and length in the file, picture, frames in 1000 s, codecs; - is none
//! key aes-128 3 0f1e2d3c4b5a69788796a5b4c3d2e1f0
//!      how the segments after it are encrypted: method, number of the key, vector; a single - is not at all
//! segment 57012345 1795203000000 2000 1245 96211 di
//!      sequence, wall time in ms, duration in ms, place and length in the file, flags
//! date 1795203001250 1795203031250 ID="19a3f2c4d5e-0",START-DATE="2026-11-20T19:30:01.250Z",DURATION=30
//!      a date range before the next segment: when it came, when it is over (- is not known), its attributes
//! still 1795203001250 - ID="19a3f2c4d5e-0",START-DATE="2026-11-20T19:30:01.250Z"
//!      one of a block before, which goes on in this one
//! ```
//!
//! Flags: `d` after a discontinuity, `i` independent, `g` not stored (a gap), `-` none.

use std::fmt;

use crate::container::Container;
use crate::encryption::{Method, Sealed};
use crate::presentation::About;
use crate::timed::DateRange;

use super::block::Head;
use super::ranges::Said;

const FORMAT: &str = "sidestream-dvr";
const VERSION: &str = "1";

/// One line of a log, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first one.
    Head(Head),
    /// What the segments after it are made of.
    Tracks(Tracks),
    /// How the segments after it are encrypted, up to the next such line; before the first, not at all.
    Key(Option<Sealed>),
    /// A date range.
    Range(Said),
    /// A segment.
    Segment(Segment),
}

/// What segments are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracks {
    /// Version of the init segment, and its place and length in the block's file.
    pub init: Option<(u32, u32, u32)>,
    /// Codecs and picture.
    pub about: About,
}

/// A segment in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Media sequence number, as in its name.
    pub sequence: u64,
    /// Wall time of its first unit, in milliseconds since 1970.
    pub wall_ms: i64,
    /// Its duration in milliseconds.
    pub duration_ms: u32,
    /// Its place in the block's file.
    pub offset: u32,
    /// Its length in bytes.
    pub len: u32,
    /// What else is known of it.
    pub flags: Flags,
}

/// Yes or no of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// A discontinuity stands before it.
    pub discontinuity: bool,
    /// A decoder can start at its first picture.
    pub independent: bool,
    /// It could not be stored.
    pub gap: bool,
}

/// A line that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line of a time shift log")]
pub struct LineError;

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => {
                let container = word(head.container);
                let (epoch, sequence, number) = (head.epoch, head.sequence, head.number);
                let (before, target) = (head.discontinuities, head.target_s);
                write!(
                    f,
                    "{FORMAT} {VERSION} {container} {epoch:x} {sequence} {number} {before} {target}"
                )
            }
            Self::Tracks(tracks) => {
                match tracks.init {
                    Some((version, offset, len)) => write!(f, "tracks {version} {offset} {len} ")?,
                    None => f.write_str("tracks - - - ")?,
                }
                match tracks.about.resolution {
                    Some((width, height)) => write!(f, "{width}x{height} ")?,
                    None => f.write_str("- ")?,
                }
                match tracks.about.frame_rate_milli {
                    Some(rate) => write!(f, "{rate} ")?,
                    None => f.write_str("- ")?,
                }
                let codecs = &*tracks.about.codecs;
                f.write_str(if codecs.is_empty() { "-" } else { codecs })
            }
            Self::Key(None) => f.write_str("key -"),
            Self::Key(Some(sealed)) => {
                let (method, number) = (sealed.method.as_str(), sealed.key);
                let iv = u128::from_be_bytes(sealed.iv);
                write!(f, "key {method} {number} {iv:032x}")
            }
            Self::Range(Said { range, carried }) => {
                let word = if *carried { "still" } else { "date" };
                write!(f, "{word} {} ", range.at_ms)?;
                match range.until_ms {
                    Some(until_ms) => write!(f, "{until_ms} ")?,
                    None => f.write_str("- ")?,
                }
                f.write_str(&range.text)
            }
            Self::Segment(segment) => {
                let place = format_args!("{} {}", segment.offset, segment.len);
                let (begins, lasts) = (segment.wall_ms, segment.duration_ms);
                let (number, flags) = (segment.sequence, segment.flags);
                write!(f, "segment {number} {begins} {lasts} {place} {flags}")
            }
        }
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (self.discontinuity, "d"),
            (self.independent, "i"),
            (self.gap, "g"),
        ];
        if letters.iter().all(|(set, _)| !set) {
            return f.write_str("-");
        }
        let set = letters.iter().filter(|(set, _)| *set);
        set.map(|(_, letter)| letter)
            .try_for_each(|letter| f.write_str(letter))
    }
}

impl std::str::FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        if let Some(said) = said(text) {
            return said.map(Self::Range);
        }
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            [
                FORMAT,
                VERSION,
                container,
                epoch,
                sequence,
                number,
                before,
                target,
            ] => Ok(Self::Head(Head {
                container: container_of(container)?,
                epoch: u64::from_str_radix(epoch, 16).map_err(|_| LineError)?,
                sequence: digits(sequence)?,
                number: digits(number)?,
                discontinuities: digits(before)?,
                target_s: digits(target)?,
            })),
            [
                "tracks",
                version,
                offset,
                len,
                resolution,
                frame_rate,
                codecs,
            ] => Ok(Self::Tracks(Tracks {
                init: match version {
                    "-" => None,
                    version => Some((digits(version)?, digits(offset)?, digits(len)?)),
                },
                about: About {
                    codecs: if codecs == "-" { "" } else { codecs }.into(),
                    resolution: match resolution.split_once('x') {
                        Some((width, height)) => Some((digits(width)?, digits(height)?)),
                        None => None,
                    },
                    frame_rate_milli: match frame_rate {
                        "-" => None,
                        rate => Some(digits(rate)?),
                    },
                },
            })),
            ["key", "-"] => Ok(Self::Key(None)),
            ["key", method, number, iv] => Ok(Self::Key(Some(Sealed {
                method: method_of(method)?,
                key: digits(number)?,
                iv: vector(iv)?,
            }))),
            ["segment", number, begins, lasts, at, len, flags] => Ok(Self::Segment(Segment {
                sequence: digits(number)?,
                wall_ms: moment(begins)?,
                duration_ms: digits(lasts)?,
                offset: digits(at)?,
                len: digits(len)?,
                flags: flags.parse()?,
            })),
            _ => Err(LineError),
        }
    }
}

impl std::str::FromStr for Flags {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let mut flags = Self::default();
        for letter in text.bytes() {
            match letter {
                b'd' => flags.discontinuity = true,
                b'i' => flags.independent = true,
                b'g' => flags.gap = true,
                b'-' => {}
                _ => return Err(LineError),
            }
        }
        Ok(flags)
    }
}

/// A date range, whose attributes may have spaces in them; `None`: it is another line.
fn said(text: &str) -> Option<Result<Said, LineError>> {
    let mut words = text.splitn(4, ' ');
    let carried = match words.next()? {
        "date" => false,
        "still" => true,
        _ => return None,
    };
    let mut word = || words.next().ok_or(LineError);
    let mut read = || {
        let at_ms = moment(word()?)?;
        let until_ms = match word()? {
            "-" => None,
            until => Some(moment(until)?),
        };
        let text = word()?;
        if !text.starts_with("ID=\"") {
            return Err(LineError);
        }
        let text = text.into();
        let range = DateRange {
            at_ms,
            until_ms,
            text,
        };
        Ok(Said { range, carried })
    };
    Some(read())
}

/// Milliseconds since 1970; before that they have a sign.
fn moment(text: &str) -> Result<i64, LineError> {
    text.parse().map_err(|_| LineError)
}

fn digits<T: std::str::FromStr>(text: &str) -> Result<T, LineError> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = plain.then(|| text.parse().ok()).flatten();
    read.ok_or(LineError)
}

fn method_of(text: &str) -> Result<Method, LineError> {
    let mut all = [Method::Aes128, Method::Cbcs].into_iter();
    all.find(|method| method.as_str() == text).ok_or(LineError)
}

/// 32 hexadecimal digits.
fn vector(text: &str) -> Result<[u8; 16], LineError> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let read = plain.then(|| u128::from_str_radix(text, 16).ok()).flatten();
    read.map(u128::to_be_bytes).ok_or(LineError)
}

fn word(container: Container) -> &'static str {
    match container {
        Container::Fmp4 => "fmp4",
        Container::Ts => "ts",
    }
}

fn container_of(text: &str) -> Result<Container, LineError> {
    let mut all = Container::ALL.into_iter();
    all.find(|container| word(*container) == text)
        .ok_or(LineError)
}
