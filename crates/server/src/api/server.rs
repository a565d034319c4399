//! The relay itself: what it is, where it listens, how it is set, who asks.

use control::UnixMs;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::route::Route;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/server", "The relay, and what the asker may do", show)
            .answers::<ServerView>(200),
    ]
}

/// The relay.
#[derive(Serialize, ToSchema)]
#[schema(as = Server)]
pub(super) struct ServerView {
    version: String,
    started_at: String,
    /// `open`: this machine needs no key; `keyed`: every request does.
    mode: &'static str,
    key: KeyView,
    /// The address that URLs in answers begin with.
    http: String,
    /// Where encoders publish; null where RTMP is off.
    rtmp: Option<String>,
    hls: HlsView,
    limits: LimitsView,
    /// Whether there are callbacks.
    callbacks: bool,
    /// What is not there yet, or no longer: as `/readyz` tells.
    missing: Vec<String>,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = AskingKey)]
struct KeyView {
    name: String,
    /// The widest scopes that it has.
    scopes: Vec<&'static str>,
}

/// How HLS is cut.
#[derive(Serialize, ToSchema)]
#[schema(as = HlsSettings)]
struct HlsView {
    enabled: bool,
    low_latency: bool,
    segment_s: f64,
    part_s: f64,
    segments: usize,
}

/// What bounds the server of HTTP.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerLimits)]
struct LimitsView {
    /// Connections that may still come, over all listeners.
    connections_free: usize,
    body_bytes: u64,
    /// Requests a second of each key.
    api_rate: u32,
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let shared = &ask.shared;
    let hls = &shared.config.hls;
    let view = ServerView {
        version: shared.config.version.to_owned(),
        started_at: UnixMs(shared.started()).to_string(),
        mode: if shared.keys.required() {
            "keyed"
        } else {
            "open"
        },
        key: KeyView {
            name: ask.grant.name().to_owned(),
            scopes: ask.grant.scopes(),
        },
        http: shared.base_url(&ask.urls()),
        rtmp: shared.rtmp_base(&ask.urls()),
        hls: HlsView {
            enabled: hls.enabled,
            low_latency: hls.low_latency,
            segment_s: hls.segment.as_secs_f64(),
            part_s: hls.part.as_secs_f64(),
            segments: hls.segments,
        },
        limits: LimitsView {
            connections_free: shared.connections.available_permits(),
            body_bytes: shared.config.limits.body_bytes,
            api_rate: shared.config.limits.api_rate,
        },
        callbacks: shared.callbacks.is_some(),
        missing: shared.health.missing(),
    };
    Ok(ask.json(StatusCode::OK, &view))
}
