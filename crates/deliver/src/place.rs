//! Where a viewer is: in the window, or at entries of its own. Bookkeeping only, no socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use remux::flv::TagKind;

use crate::entry::{Entry, Framing};
use crate::window::Window;

/// Slices per write: the kernel's limit (`IOV_MAX`).
const MAX_SLICES: usize = 1_024;
/// Bytes per write: enough to be cheap, little enough to stay fair to the next viewer.
pub(crate) const MAX_WRITE: usize = 256 << 10;

/// Where a viewer is.
pub(crate) enum Place {
    /// Waits for the first join point from this entry on.
    Waiting(u64),
    /// Is sent entries of its own first.
    Lead {
        entries: VecDeque<Entry>,
        offset: usize,
        then: Then,
    },
    /// Reads the window: `offset` bytes of entry `number` are on the wire.
    Live { number: u64, offset: usize },
    /// Asked to pause.
    Paused,
    /// Everything was said; waits for the peer to close, so that unread input resets nothing.
    Closing,
}

/// What follows entries of its own.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Join(u64),
    At(u64),
    Pause,
    Close,
}

/// What an RTMP player asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    pub(crate) audio: bool,
    pub(crate) video: bool,
}

impl Wants {
    pub(crate) const ALL: Self = Self {
        audio: true,
        video: true,
    };

    pub(crate) fn is_all(self) -> bool {
        self.audio && self.video
    }

    fn takes(self, entry: &Entry) -> bool {
        match entry.kind() {
            Some(TagKind::Audio) => self.audio,
            Some(TagKind::Video) => self.video,
            _ => true,
        }
    }
}

impl Place {
    /// The oldest entry of the window that is still to be sent.
    pub(crate) fn wanted(&self) -> Option<u64> {
        match self {
            Self::Live { number, .. }
            | Self::Lead {
                then: Then::At(number),
                ..
            } => Some(*number),
            _ => None,
        }
    }

    /// The window moves on: finishes the message under way, then waits for a join point. Gives
    /// the first entry that is lost by that.
    pub(crate) fn cut_off(&mut self, window: &Window) -> Option<u64> {
        self.hold_current(window);
        let lost = self.wanted();
        match self {
            Self::Lead {
                then: then @ Then::At(_),
                ..
            } => *then = Then::Join(window.start()),
            Self::Live { .. } => *self = Self::Waiting(window.start()),
            _ => {}
        }
        lost
    }

    /// Puts an entry of its own between two others.
    pub(crate) fn say(&mut self, window: &Window, entry: Entry) {
        self.hold_current(window);
        let then = match &mut *self {
            Self::Lead { entries, .. } => return entries.push_back(entry),
            Self::Closing => return,
            Self::Waiting(start) => Then::Join(*start),
            Self::Paused => Then::Pause,
            Self::Live { number, .. } => Then::At(*number),
        };
        *self = Self::Lead {
            entries: [entry].into(),
            offset: 0,
            then,
        };
    }

    /// An entry that is partly on the wire must be finished before anything else: takes it along.
    fn hold_current(&mut self, window: &Window) {
        if let Self::Live { number, offset } = *self
            && offset > 0
            && let Some(entry) = window.get(number)
        {
            *self = Self::Lead {
                entries: [entry.clone()].into(),
                offset,
                then: Then::At(number + 1),
            };
        }
    }

    /// Bytes of its own that wait to be sent: answers and headers, not media.
    pub(crate) fn own_bytes(&self) -> usize {
        match self {
            Self::Lead { entries, .. } => entries
                .iter()
                .filter(|entry| matches!(entry, Entry::Raw(_)))
                .map(Entry::size_bytes)
                .sum(),
            _ => 0,
        }
    }

    /// Pauses or goes on. A message that is under way is finished first.
    pub(crate) fn pause(&mut self, window: &Window, paused: bool) {
        if paused {
            self.hold_current(window);
        }
        match (&mut *self, paused) {
            (Self::Paused, false) => *self = Self::Waiting(window.start()),
            (Self::Lead { then, .. }, true) if !matches!(then, Then::Close) => *then = Then::Pause,
            (
                Self::Lead {
                    then: then @ Then::Pause,
                    ..
                },
                false,
            ) => *then = Then::Join(window.start()),
            (Self::Waiting(_) | Self::Live { offset: 0, .. }, true) => *self = Self::Paused,
            _ => {}
        }
    }

    /// Moves on by `written` bytes of the wire.
    pub(crate) fn advance(
        &mut self,
        window: &Window,
        framing: Framing,
        wants: Wants,
        mut written: usize,
    ) {
        match self {
            Self::Lead {
                entries, offset, ..
            } => {
                while let Some(entry) = entries.front() {
                    let rest = entry.wire_len(framing) - *offset;
                    if written < rest {
                        *offset += written;
                        return;
                    }
                    written -= rest;
                    *offset = 0;
                    entries.pop_front();
                }
            }
            Self::Live { number, offset } => {
                for entry in window.from(*number) {
                    let whole = if *offset > 0 || wants.takes(entry) {
                        entry.wire_len(framing)
                    } else {
                        0
                    };
                    let rest = whole - *offset;
                    if written < rest {
                        *offset += written;
                        return;
                    }
                    written -= rest;
                    *offset = 0;
                    *number += 1;
                }
            }
            Self::Waiting(_) | Self::Paused | Self::Closing => {}
        }
    }
}

/// The slices of some entries, within what one write takes.
pub(crate) fn slices<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    framing: Framing,
    mut skip: usize,
    wants: Wants,
) -> Vec<IoSlice<'a>> {
    let mut out = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        if skip == 0 && !wants.takes(entry) {
            continue;
        }
        bytes += entry.wire_len(framing) - skip;
        entry.slices(framing, skip, &mut out);
        skip = 0;
        if bytes >= MAX_WRITE || out.len() >= MAX_SLICES {
            break;
        }
    }
    // A long message with small chunks may have gone beyond the limit by itself.
    out.truncate(MAX_SLICES);
    out
}
