//! Delivery directives of low latency playlists and what they ask for (RFC 8216bis §6.2.5).
//!
//! ```text
//! _HLS_msn=N          the playlist with segment N, whole
//! _HLS_msn=N&_HLS_part=P   the playlist with part P of segment N, or what follows it
//! _HLS_skip=YES       without the segments that the client has already
//! _HLS_skip=v2        without the date ranges that it has already, either
//! ```

use crate::presentation::{Playlists, Presentation};
use crate::{Feed, Rendition};

/// Segments beyond the newest complete one that a request may ask for.
const MAX_AHEAD: u64 = 2;

/// What a request for a media playlist asks for in its query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directives {
    /// Wait for this segment, and this part of it.
    pub until: Option<Until>,
    /// A delta update is welcome.
    pub skip: Option<Skip>,
}

/// What a delta update leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Segments (`YES`).
    Segments,
    /// Segments and date ranges (`v2`); of a playlist that does not say `CAN-SKIP-DATERANGES`,
    /// segments.
    Ranges,
}

/// What a playlist must hold before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Media sequence number.
    pub sequence: u64,
    /// Index of a part; without it the whole segment is meant.
    pub part: Option<u64>,
}

/// What becomes of a request that waits for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// The playlist has it; or it has ended, and nothing more will come.
    Ready,
    /// Not yet there.
    Wait,
    /// So far ahead that no client of this playlist can know of it.
    FarAhead,
}

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// `_HLS_msn` or `_HLS_part` is no decimal number, or given twice.
    #[error("{0} is not one decimal number")]
    NotANumber(&'static str),
    /// A part of no segment.
    #[error("_HLS_part without _HLS_msn")]
    PartWithoutSegment,
}

impl Directives {
    /// Reads the query of a request; what is not a directive is skipped.
    ///
    /// # Errors
    /// [`DirectiveError`], for an answer of 400.
    pub fn parse(query: &str) -> Result<Self, DirectiveError> {
        let (mut sequence, mut part, mut skip) = (None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "_HLS_msn" => number(&mut sequence, value, "_HLS_msn")?,
                "_HLS_part" => number(&mut part, value, "_HLS_part")?,
                "_HLS_skip" => {
                    skip = match value {
                        "YES" => Some(Skip::Segments),
                        "v2" => Some(Skip::Ranges),
                        _ => skip,
                    }
                }
                _ => {}
            }
        }
        let until = match (sequence, part) {
            (Some(sequence), part) => Some(Until { sequence, part }),
            (None, None) => None,
            (None, Some(_)) => return Err(DirectiveError::PartWithoutSegment),
        };
        Ok(Self { until, skip })
    }
}

fn number(slot: &mut Option<u64>, value: &str, name: &'static str) -> Result<(), DirectiveError> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if slot.is_some() || !is_number {
        return Err(DirectiveError::NotANumber(name));
    }
    // Beyond what fits is beyond any playlist.
    *slot = Some(value.parse().unwrap_or(u64::MAX));
    Ok(())
}

impl Presentation {
    /// Whether the media playlist of this feed has what a request waits for. Always
    /// [`Blocking::Ready`] where no low latency playlist is served.
    #[must_use]
    pub fn blocking(&self, feed: impl Into<Feed>, until: Until) -> Blocking {
        let Rendition::Ready(playlists) = self.rendition(feed) else {
            return Blocking::Ready;
        };
        if self.ended() {
            return Blocking::Ready;
        }
        playlists.blocking(until)
    }
}

impl Playlists {
    fn blocking(&self, until: Until) -> Blocking {
        let Some(low_latency) = &self.low_latency else {
            return Blocking::Ready;
        };
        let last = self.last_sequence;
        let Until { sequence, part } = until;
        if sequence < last {
            return Blocking::Ready;
        }
        if sequence > last.saturating_add(MAX_AHEAD) {
            return Blocking::FarAhead;
        }
        let open = self.open.as_ref().map_or(0, |open| open.parts.len());
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        let Some(part) = part else {
            return ready_if(sequence <= last);
        };
        // Parts that the segment has now; one that is complete gets no more.
        let (there, complete) = if sequence == last {
            (u64::from(self.last_parts), true)
        } else if sequence == last + 1 {
            (open, false)
        } else {
            (0, false)
        };
        if part >= there.saturating_add(low_latency.advance_part_limit()) {
            return Blocking::FarAhead;
        }
        if part < there {
            return Blocking::Ready;
        }
        // Beyond the last part of a complete segment: the first part of the one after it.
        ready_if(complete && (self.last_parts == 0 || open > 0))
    }
}

fn ready_if(is_there: bool) -> Blocking {
    if is_there {
        Blocking::Ready
    } else {
        Blocking::Wait
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn queries_are_read_and_nonsense_is_refused() {
        let parsed = |query| Directives::parse(query);
        let until = |sequence, part| Some(Until { sequence, part });
        assert_eq!(parsed("").unwrap(), Directives::default());
        assert_eq!(parsed("key=x&_HLS_other=1").unwrap().until, None);
        assert_eq!(parsed("_HLS_msn=7").unwrap().until, until(7, None));
        let all = parsed("a=b&_HLS_part=2&_HLS_msn=7&_HLS_skip=v2").unwrap();
        assert_eq!(
            (all.until, all.skip),
            (until(7, Some(2)), Some(Skip::Ranges))
        );
        assert_eq!(parsed("_HLS_skip=YES").unwrap().skip, Some(Skip::Segments));
        assert_eq!(parsed("_HLS_skip=no").unwrap().skip, None);
        let huge = parsed("_HLS_msn=99999999999999999999999").unwrap();
        assert_eq!(huge.until, until(u64::MAX, None));
        for bad in [
            "_HLS_msn=",
            "_HLS_msn",
            "_HLS_msn=-1",
            "_HLS_msn=1x",
            "_HLS_msn=%37",
        ] {
            assert_eq!(
                parsed(bad),
                Err(DirectiveError::NotANumber("_HLS_msn")),
                "{bad}"
            );
        }
        assert!(parsed("_HLS_msn=1&_HLS_msn=2").is_err());
        assert_eq!(
            parsed("_HLS_part=0"),
            Err(DirectiveError::PartWithoutSegment)
        );
    }
}
