//! The kinds of events, and patterns over them.

use crate::words::words;

words! {
    /// What happened; the words are those of callbacks and of `/v1/events`.
    pub enum EventKind {
        /// A source began to publish.
        IngestStarted = "ingest.started",
        /// A source no longer publishes.
        IngestEnded = "ingest.ended",
        /// A publish was refused.
        IngestRejected = "ingest.rejected",
        /// A publisher sends what players have trouble with.
        IngestAnomaly = "ingest.anomaly",
        /// A channel waits for its source.
        ChannelPending = "channel.pending",
        /// A channel is live.
        ChannelStarted = "channel.started",
        /// A live channel lost its publisher and waits.
        ChannelInterrupted = "channel.interrupted",
        /// Its publisher is back.
        ChannelResumed = "channel.resumed",
        /// A channel is over; its id and URLs stay reserved for a while.
        ChannelEnded = "channel.ended",
        /// A channel could not be started.
        ChannelFailed = "channel.failed",
        /// A channel's stream was forbidden.
        ChannelForbidden = "channel.forbidden",
        /// A push target's state changed.
        TargetStateChanged = "target.state_changed",
        /// A recording writes its first file.
        RecordingStarted = "recording.started",
        /// A recording leaves units out.
        RecordingPaused = "recording.paused",
        /// A recording writes again.
        RecordingResumed = "recording.resumed",
        /// A recording is over.
        RecordingEnded = "recording.ended",
        /// A recording cannot write.
        RecordingFailed = "recording.failed",
        /// A file is finished.
        RecordingFileCompleted = "recording.file.completed",
        /// A limit was reached.
        QuotaExceeded = "quota.exceeded",
        /// An event could not be delivered to an endpoint.
        WebhookDeadLettered = "webhook.dead_lettered",
    }
}

impl EventKind {
    /// Whether a pattern names it: a kind, a kind's beginning and `.*`, or `*`.
    #[must_use]
    pub fn matches(self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some("") => true,
            Some(start) => start.ends_with('.') && self.as_str().starts_with(start),
            None => self.as_str() == pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_kinds_by_whole_words() {
        let kind = EventKind::RecordingFileCompleted;
        for (pattern, named) in [
            ("*", true),
            ("recording.*", true),
            ("recording.file.*", true),
            ("recording.file.completed", true),
            ("rec*", false),
            ("channel.*", false),
            ("recording.file.completed.*", false),
        ] {
            assert_eq!(kind.matches(pattern), named, "{pattern}");
        }
    }
}
