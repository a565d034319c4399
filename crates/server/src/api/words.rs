//! Words that requests use, and what they are inside.

use control::model;

use super::input::choice;

choice! {
    /// Which of a user's sources.
    pub(super) enum Source {
        Main = "main",
        Aux = "aux",
    }
}

impl From<Source> for model::Source {
    fn from(source: Source) -> Self {
        match source {
            Source::Main => Self::Main,
            Source::Aux => Self::Aux,
        }
    }
}

choice! {
    /// How a channel is watched.
    pub(super) enum Protocol {
        Hls = "hls",
        Rtmp = "rtmp",
        Flv = "flv",
    }
}

impl From<Protocol> for model::Protocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Hls => Self::Hls,
            Protocol::Rtmp => Self::Rtmp,
            Protocol::Flv => Self::Flv,
        }
    }
}

choice! {
    /// A container of recordings.
    pub(super) enum Format {
        Flv = "flv",
        Hls = "hls",
        Mp4 = "mp4",
        Aac = "aac",
        Ts = "ts",
        HlsTs = "hls-ts",
    }
}

impl From<Format> for model::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Flv => Self::Flv,
            Format::Hls => Self::Hls,
            Format::Mp4 => Self::Mp4,
            Format::Aac => Self::Aac,
            Format::Ts => Self::Ts,
            Format::HlsTs => Self::HlsTs,
        }
    }
}

choice! {
    /// Which tracks are recorded.
    pub(super) enum Media {
        Av = "av",
        Audio = "audio",
        Video = "video",
    }
}

impl From<Media> for model::Media {
    fn from(media: Media) -> Self {
        match media {
            Media::Av => Self::Av,
            Media::Audio => Self::Audio,
            Media::Video => Self::Video,
        }
    }
}

choice! {
    /// What a push target does that has failed.
    pub(super) enum OnFail {
        Retry = "retry",
        Stop = "stop",
    }
}

impl From<OnFail> for model::OnFail {
    fn from(on_fail: OnFail) -> Self {
        match on_fail {
            OnFail::Retry => Self::Retry,
            OnFail::Stop => Self::Stop,
        }
    }
}

choice! {
    /// Where a channel is.
    pub(super) enum ChannelState {
        Pending = "pending",
        Starting = "starting",
        Live = "live",
        Interrupted = "interrupted",
        Ended = "ended",
        Failed = "failed",
        Forbidden = "forbidden",
    }
}

impl From<ChannelState> for model::ChannelState {
    fn from(state: ChannelState) -> Self {
        match state {
            ChannelState::Pending => Self::Pending,
            ChannelState::Starting => Self::Starting,
            ChannelState::Live => Self::Live,
            ChannelState::Interrupted => Self::Interrupted,
            ChannelState::Ended => Self::Ended,
            ChannelState::Failed => Self::Failed,
            ChannelState::Forbidden => Self::Forbidden,
        }
    }
}

choice! {
    /// Who manages a channel.
    pub(super) enum Origin {
        Auto = "auto",
        Manual = "manual",
    }
}

impl From<Origin> for model::Origin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Auto => Self::Auto,
            Origin::Manual => Self::Manual,
        }
    }
}

choice! {
    /// Where a recording is.
    pub(super) enum RecordState {
        Pending = "pending",
        Recording = "recording",
        Paused = "paused",
        Finalizing = "finalizing",
        Completed = "completed",
        Failed = "failed",
        Aborted = "aborted",
    }
}

impl From<RecordState> for model::RecordState {
    fn from(state: RecordState) -> Self {
        match state {
            RecordState::Pending => Self::Pending,
            RecordState::Recording => Self::Recording,
            RecordState::Paused => Self::Paused,
            RecordState::Finalizing => Self::Finalizing,
            RecordState::Completed => Self::Completed,
            RecordState::Failed => Self::Failed,
            RecordState::Aborted => Self::Aborted,
        }
    }
}
