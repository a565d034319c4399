//! A channel.

use std::collections::BTreeMap;

use control::model::{Channel, ChannelState, Protocol};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::CauseView;
use crate::api::ask::Ask;
use crate::api::wire::percent_encoded;
use crate::state::{self, Shared};

/// A channel.
#[derive(Serialize, ToSchema)]
#[schema(as = Channel)]
pub(in crate::api) struct ChannelView {
    /// 64 bits, decimal, unsigned.
    pub(in crate::api) channel_id: String,
    /// The same bits, signed.
    channel_id_java: String,
    /// The stream code.
    stream_id: String,
    /// The stream's whole name: `{app}/{stream_id}`.
    stream: String,
    /// `auto` or `manual`.
    origin: String,
    /// `pending`, `starting`, `live`, `interrupted`, `ended`, `failed`, `forbidden`.
    state: String,
    room_id: String,
    user_id: String,
    /// `main` or `aux`.
    source: String,
    name: String,
    description: String,
    /// Whether players have to say a password.
    has_password: bool,
    audio_only: bool,
    protocols: Vec<String>,
    metadata: BTreeMap<String, String>,
    urls: Vec<PlayUrl>,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    /// Until when an ended channel's id and URLs are kept for the next start.
    reserved_until: Option<String>,
    cause: Option<CauseView>,
    sequence: Option<u64>,
    pub(in crate::api) etag: String,
}

/// Where a channel plays.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlayUrl {
    protocol: String,
    /// The number of the classic interfaces.
    r#type: u32,
    rate: String,
    url: String,
}

impl PlayUrl {
    /// The number of its protocol on the classic interfaces.
    pub(crate) fn number(&self) -> u32 {
        self.r#type
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The URLs of a channel.
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelUrls)]
pub(in crate::api) struct Urls {
    pub(in crate::api) channel_id: String,
    pub(in crate::api) urls: Vec<PlayUrl>,
}

impl ChannelView {
    /// With what lies over its own state.
    pub(in crate::api) fn shown(channel: Channel, state: ChannelState, ask: &Ask) -> Self {
        Self::of(&Channel { state, ..channel }, ask)
    }

    pub(in crate::api) fn of(channel: &Channel, ask: &Ask) -> Self {
        let spec = &channel.spec;
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let metadata = spec.metadata.iter();
        Self {
            channel_id: channel.id.to_string(),
            channel_id_java: channel.id.signed().to_string(),
            stream_id: channel.stream_id().to_owned(),
            stream: channel.stream.clone(),
            origin: channel.origin.to_string(),
            state: channel.state.to_string(),
            room_id: channel.room_id.clone(),
            user_id: channel.user_id.clone(),
            source: channel.source.to_string(),
            name: spec.name.clone(),
            description: spec.description.clone(),
            has_password: spec.password.is_some(),
            audio_only: spec.audio_only,
            protocols: spec.protocols.iter().map(ToString::to_string).collect(),
            metadata: metadata
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            urls: urls(channel, &ask.shared, &ask.urls()),
            created_at: channel.created_at.to_string(),
            started_at: channel.started_at.map(|at| at.to_string()),
            ended_at: channel.ended_at.map(|at| at.to_string()),
            reserved_until: channel.reserved_until.map(|at| at.to_string()),
            cause: channel.cause.as_ref().map(CauseView::from),
            sequence: channel.sequence,
            etag: etag(channel.version),
        }
    }
}

/// The version of something, as `ETag` writes it.
pub(in crate::api) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// One URL for each protocol: known before the first frame, the same after each start.
pub(crate) fn urls(
    channel: &Channel,
    shared: &Shared,
    request: &state::Request<'_>,
) -> Vec<PlayUrl> {
    let base = shared.base_url(request);
    let name = percent_encoded(&channel.stream);
    let rtmp = shared.rtmp_base(request);
    let protocols = channel.spec.protocols.iter();
    protocols
        .filter_map(|protocol| {
            let url = match protocol {
                Protocol::Hls => format!("{base}/{name}.m3u8"),
                Protocol::Flv => format!("{base}/{name}.flv"),
                Protocol::Rtmp => format!("{}/{name}", rtmp.as_deref()?),
            };
            Some(PlayUrl {
                protocol: protocol.to_string(),
                r#type: protocol.number(),
                rate: "original".to_owned(),
                url,
            })
        })
        .collect()
}
