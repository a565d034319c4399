//! What a segmenter counts.

/// Counters of a segmenter since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Segments cut.
    pub segments: u64,
    /// Segments that had to end without a random access unit: a group of pictures was longer than
    /// the target duration, or too many bytes.
    pub forced_cuts: u64,
    /// Breaks of the timeline, announced or found.
    pub discontinuities: u64,
    /// Video units left out because no random access unit preceded them.
    pub waiting_units: u64,
    /// Units that a muxer refused as damaged, over both containers.
    pub damaged_units: u64,
    /// Data messages that did not become timed metadata: unreadable, too long or too many.
    pub messages_left_out: u64,
    /// Segments that were not made because their key was missing.
    pub locked_segments: u64,
    /// Times that playlists were rendered, over both containers: once per change.
    pub renders: u64,
    /// Segments that left early because of [`crate::Limits::max_bytes`].
    pub evicted_segments: u64,
    /// Bytes held now: segments, init segments, units of open segments.
    pub bytes: usize,
}

impl Stats {
    /// These counters and those of a later segmenter of the same stream; what is held now is the
    /// later one's.
    #[must_use]
    pub fn and_then(self, later: Self) -> Self {
        Self {
            segments: self.segments + later.segments,
            forced_cuts: self.forced_cuts + later.forced_cuts,
            discontinuities: self.discontinuities + later.discontinuities,
            waiting_units: self.waiting_units + later.waiting_units,
            damaged_units: self.damaged_units + later.damaged_units,
            messages_left_out: self.messages_left_out + later.messages_left_out,
            locked_segments: self.locked_segments + later.locked_segments,
            renders: self.renders + later.renders,
            evicted_segments: self.evicted_segments + later.evicted_segments,
            bytes: later.bytes,
        }
    }
}
