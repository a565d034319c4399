//! `GET /common_access`: management of channels, recordings and figures, by `interface`.
//!
//! Answers are 200 with `{ret, message, output}`; `ret` is 0, or the number of what was refused.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use control::model::{ChannelState, Format, Media, SourceState};
use control::request::{self, Page, Place, StreamInfo};
use control::{Control, Error, Reason, UnixMs};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};
use hub::Stream;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::query::Query;
use super::{may_control, number, plane};
use crate::api::same;
use crate::error::{Problem, to_json};
use crate::state::Shared;

/// The classic number for a stream code that nobody knows.
const UNKNOWN_STREAM: u32 = 20_601;
/// Longest ban.
const MOST: Duration = Duration::from_hours(90 * 24);
/// Things of one answer at most.
const PAGE: u32 = 1_000;

/// What is refused: the number and a sentence.
struct Refusal(u32, String);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error.reason.compat_code(), error.detail)
    }
}

pub(crate) async fn common_access(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::method_not_allowed("GET, HEAD").into_response();
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let allowed = match query.get("sign") {
        Some(sign) => signed(&shared, &query, sign),
        None => may_control(&shared, &request, None)
            .map_err(|problem| Refusal(number(&problem), problem.detail)),
    };
    let done = match allowed {
        Ok(()) => run(&shared, &query).await,
        Err(refusal) => Err(refusal),
    };
    let body = match done {
        Ok(output) => json!({"ret": 0, "message": "ok", "output": output}),
        Err(Refusal(ret, message)) => json!({"ret": ret, "message": message, "output": []}),
    };
    let mut response = Response::new(to_json(&body, false).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `sign = MD5(key + t)`, with `t` the Unix time at which it ends.
fn signed(shared: &Shared, query: &Query, sign: &str) -> Result<(), Refusal> {
    let refused = |detail: &str| {
        let code = Reason::Unauthenticated.compat_code();
        Err(Refusal(code, detail.to_owned()))
    };
    let key = &shared.config.common_access_key;
    if key.is_empty() {
        return refused("no key is set for t and sign");
    }
    let Some(text) = query.get("t") else {
        return refused("t is missing");
    };
    let is_ahead = text
        .parse::<i64>()
        .is_ok_and(|t| t >= (shared.clock)().0.div_euclid(1_000));
    if !is_ahead {
        return refused("t is over, or no Unix time");
    }
    let want = data_encoding::HEXLOWER.encode(&Md5::digest(format!("{key}{text}")));
    if same(&want, &sign.to_ascii_lowercase()) {
        Ok(())
    } else {
        refused("sign is not MD5(key + t)")
    }
}

async fn run(shared: &Shared, query: &Query) -> Result<Value, Refusal> {
    let control = plane(shared)?;
    match query.get("interface") {
        Some("Live_Channel_GetStatus") => status(control, query).await,
        Some("Live_Channel_SetStatus") => set_status(control, query).await,
        Some("channel_manager") => manage(control, query).await,
        Some("Live_Channel_GetChannelList") => channels(control, false).await,
        Some("Live_Channel_GetLiveChannelList") => channels(control, true).await,
        Some("Live_Tape_Start") => tape_start(control, query).await,
        Some("Live_Tape_Stop") => tape_stop(control, query).await,
        Some("Live_Tape_GetFilelist") => files(control, query).await,
        Some("Get_LiveStat" | "Get_LivePushStat" | "Get_LivePlayStat") => {
            Ok(figures(shared, query))
        }
        Some(other) => {
            let code = Reason::OperationUnknown.compat_code();
            let shown: String = other.chars().take(64).collect();
            Err(Refusal(code, format!("interface {shown} is not supported")))
        }
        None => {
            let code = Reason::OperationMissing.compat_code();
            Err(Refusal(code, "interface is missing".to_owned()))
        }
    }
}

/// The stream that `Param.s.channel_id` names.
async fn stream(control: &Control, query: &Query) -> Result<StreamInfo, Refusal> {
    let Some(code) = query.get("Param.s.channel_id") else {
        let code = Reason::FieldInvalid.compat_code();
        return Err(Refusal(code, "Param.s.channel_id is missing".to_owned()));
    };
    control
        .stream(code.to_owned())
        .await
        .map_err(|error| match error.reason {
            Reason::ResourceNotFound => Refusal(UNKNOWN_STREAM, error.detail),
            _ => error.into(),
        })
}

/// 0 interrupted, 1 live, 3 disabled.
fn number_of(state: Option<ChannelState>) -> u32 {
    match state {
        Some(ChannelState::Live) => 1,
        Some(ChannelState::Forbidden) => 3,
        _ => 0,
    }
}

async fn status(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let forbidden = info.source.is_forbidden(control.now());
    let status = if forbidden { 3 } else { number_of(info.state) };
    Ok(json!([{"rate_type": 0, "recv_type": 3, "status": status}]))
}

async fn set_status(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let name = info.source.stream;
    match query.number("Param.n.status") {
        Some(0) => drop(control.forbid_stream(name, None, None).await?),
        Some(1) => drop(control.resume_stream(name).await?),
        Some(2) => drop(control.drop_stream(name, None).await?),
        _ => {
            let detail = "Param.n.status is 0 forbid, 1 allow or 2 drop";
            return Err(invalid(detail));
        }
    }
    Ok(json!([]))
}

async fn manage(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let name = info.source.stream;
    match query.get("Param.s.action") {
        Some("forbid") => {
            let end = query.number("Param.n.abstime_end");
            let end = end.and_then(|end| i64::try_from(end).ok());
            let until = end.map(|end| UnixMs(end.saturating_mul(1_000)));
            let most = control.now().plus(MOST);
            control
                .forbid_stream(name, until.map(|until| until.min(most)), None)
                .await?;
        }
        Some("resume") => drop(control.resume_stream(name).await?),
        _ => return Err(invalid("Param.s.action is forbid or resume")),
    }
    Ok(json!([]))
}

fn invalid(detail: &str) -> Refusal {
    Refusal(Reason::FieldInvalid.compat_code(), detail.to_owned())
}

async fn channels(control: &Control, only_live: bool) -> Result<Value, Refusal> {
    let filter = request::ChannelFilter {
        state: only_live.then_some(ChannelState::Live),
        ..Default::default()
    };
    let page = Page {
        limit: PAGE,
        cursor: None,
    };
    let found = control.channels(filter, page).await?;
    let list: Vec<Value> = found
        .items
        .iter()
        .map(|view| {
            json!({
                "channel_id": view.channel.stream_id(),
                "channel_name": view.channel.spec.name,
                "channel_status": number_of(Some(view.state)),
                "create_time": view.channel.created_at.seconds(),
            })
        })
        .collect();
    Ok(json!({"all_count": list.len(), "channel_list": list}))
}

fn place(source: &SourceState) -> Place {
    Place {
        app_id: Some(source.app_id.clone()),
        room_id: source.room_id.clone(),
        relation_id: None,
    }
}

async fn tape_start(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let format = match query.get("Param.s.file_format") {
        None | Some("flv") => Format::Flv,
        Some("hls") => Format::Hls,
        Some("mp4") => Format::Mp4,
        Some("aac") => Format::Aac,
        Some(_) => return Err(invalid("Param.s.file_format is flv, hls, mp4 or aac")),
    };
    let media = match query.get("Param.s.record_type") {
        None | Some("video") => Media::Av,
        Some("audio") => Media::Audio,
        Some(_) => return Err(invalid("Param.s.record_type is video or audio")),
    };
    // Tasks in real time begin at once and end by a call or after half an hour.
    let is_now = query.number("Param.n.task_sub_type") == Some(1);
    let (start_at, end_at) = if is_now {
        (None, Some(control.now().plus(Duration::from_secs(30 * 60))))
    } else {
        let start = china_time(query, "Param.s.start_time")?;
        (Some(start), Some(china_time(query, "Param.s.end_time")?))
    };
    let started = control
        .start_recording(request::RecordStart {
            place: place(&info.source),
            user_id: info.source.user_id.clone(),
            source: info.source.source,
            file_name: Some(info.source.stream_id().chars().take(40).collect()),
            media,
            formats: vec![format],
            segment_s: None,
            tags: Vec::new(),
            class_id: 0,
            record_id: None,
            start_at,
            end_at,
            callback: true,
            compat: false,
        })
        .await?;
    Ok(json!({"task_id": started.recording.task_id}))
}

/// `2016-07-07 20:15:00`, eight hours ahead of UTC.
fn china_time(query: &Query, name: &str) -> Result<UnixMs, Refusal> {
    const AHEAD_MS: i64 = 8 * 3_600_000;
    let text = query.get(name).unwrap_or_default();
    let time: Result<jiff::civil::DateTime, _> = text.parse();
    let utc = time.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
    match utc {
        Ok(utc) => Ok(UnixMs(utc.timestamp().as_millisecond() - AHEAD_MS)),
        Err(_) => Err(invalid(&format!(
            "{name} is a time like 2016-07-07 20:15:00"
        ))),
    }
}

async fn tape_stop(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let Some(task) = query
        .number("Param.n.task_id")
        .or_else(|| query.number("Param.s.task_id"))
    else {
        return Err(invalid("Param.n.task_id is missing"));
    };
    let filter = request::RecordingFilter {
        stream: Some(info.source.stream),
        ..Default::default()
    };
    let page = Page {
        limit: PAGE,
        cursor: None,
    };
    let found = control.recordings(filter, page).await?;
    let one = found
        .items
        .iter()
        .find(|one| u64::from(one.task_id) == task);
    let Some(one) = one else {
        let code = Reason::RecordingNotFound.compat_code();
        return Err(Refusal(code, format!("the stream has no task {task}")));
    };
    control.stop_recording(one.id).await?;
    Ok(json!([]))
}

async fn files(control: &Control, query: &Query) -> Result<Value, Refusal> {
    let info = stream(control, query).await?;
    let filter = request::FileFilter {
        stream: Some(info.source.stream.clone()),
        ..Default::default()
    };
    let page = Page {
        limit: PAGE,
        cursor: None,
    };
    let found = control.files(filter, page).await?;
    let size = query
        .number("Param.n.page_size")
        .unwrap_or(10)
        .clamp(1, 100);
    let number = query.number("Param.n.page_no").unwrap_or(1).max(1);
    let skipped = usize::try_from(size.saturating_mul(number - 1)).unwrap_or(usize::MAX);
    let mut all: Vec<_> = found.items.iter().collect();
    all.sort_by_key(|file| file.start_at);
    if query.get("Param.s.sort_type") == Some("desc") {
        all.reverse();
    }
    let size = usize::try_from(size).unwrap_or(100);
    let list: Vec<Value> = all
        .iter()
        .skip(skipped)
        .take(size)
        .map(|file| {
            json!({
                "vid": info.source.stream_id(),
                "file_id": file.number.to_string(),
                "start_time": file.start_at.seconds(),
                "end_time": file.end_at.seconds(),
                "record_file_url": format!("/v1/files/{}/content", file.id),
            })
        })
        .collect();
    Ok(json!({"all_count": all.len(), "file_list": list}))
}

/// What streams carry now; of one stream, when it is named.
fn figures(shared: &Shared, query: &Query) -> Value {
    let wanted = query
        .get("Param.s.channel_id")
        .or_else(|| query.get("Param.s.stream_id"));
    let streams = shared.hub.list();
    let one = |stream: &Arc<Stream>| {
        let stats = stream.stats();
        let peer = stream.publisher().and_then(|(info, _)| info.peer);
        let video = stats.tracks.iter().map(|track| track.rate_milli).max();
        json!({
            "stream_name": stream.name().stream(),
            "bandwidth": mbit(stats.bitrate_bps),
            "online": stream.viewers().count(),
            "client_ip": peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
            "server_ip": "",
            "fps": video.unwrap_or_default() / 1_000,
            "speed": stats.bitrate_bps / 1_000,
        })
    };
    let listed: Vec<&Arc<Stream>> = streams
        .iter()
        .filter(|stream| wanted.is_none_or(|wanted| stream.name().stream() == wanted))
        .take(PAGE as usize)
        .collect();
    let total: u64 = listed.iter().map(|stream| stream.stats().bitrate_bps).sum();
    let online: usize = listed.iter().map(|stream| stream.viewers().count()).sum();
    json!([{
        "stream_count": listed.len(),
        "total_bandwidth": mbit(total),
        "total_online": online,
        "stream_info": listed.into_iter().map(one).collect::<Vec<_>>(),
    }])
}

/// Megabits with three places, as the classic answers have them.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn mbit(bps: u64) -> f64 {
    (bps / 1_000) as f64 / 1_000.0
}
