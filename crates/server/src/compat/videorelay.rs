//! `POST /v3/openim/videorelay` (and `/v4/…`): starts and stops bypass (0x6) and recording (0x5).
//!
//! Answers are 200 whatever happens. Success is what the known client tests: a blank
//! `ActionStatus` and a blank `str_errorinfo`, so both are left out then.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use control::model::{ChannelSpec, Format, IfExists, Media, Protocol, Source, StartWhen};
use control::request::{self, Page, Place, RecordAsk, StopEffect};
use control::{Control, Error, Reason};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::query::Query;
use super::{may_control, number, plane};
use crate::api::{PlayUrl, read_body, urls};
use crate::error::{Problem, to_json};
use crate::state::{self, Shared};

/// Longest tags, in pieces. Bounds: what is stored with a recording.
const MAX_TAGS: usize = 32;

/// `uint32_result` of the header: what is wrong before any operation is looked at.
#[derive(Clone, Copy)]
enum Framing {
    Unparsable = -1,
    Body = -2,
    Head = -4,
    Token = -5,
}

/// One request of either operation.
struct Call<'a> {
    control: &'a Control,
    shared: &'a Shared,
    urls: state::Request<'a>,
    place: Place,
    user_id: String,
    fields: &'a Map<String, Value>,
}

pub(crate) async fn videorelay(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.method() != Method::POST {
        return Problem::method_not_allowed("POST").into_response();
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    if let Err(problem) = may_control(&shared, &request, query.get("usersig")) {
        return framing(
            &Map::new(),
            Framing::Token,
            number(&problem),
            &problem.detail,
        );
    }
    let is_tls = state::Request::of(&request).is_tls;
    let (parts, body) = request.into_parts();
    let body = match read_body(&shared, body).await {
        Ok(body) => body,
        Err(problem) => {
            return framing(
                &Map::new(),
                Framing::Unparsable,
                number(&problem),
                &problem.detail,
            );
        }
    };
    let envelope: Value = match serde_json::from_slice(&body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let code = Reason::RequestUnparsable.compat_code();
            return framing(&Map::new(), Framing::Unparsable, code, &error.to_string());
        }
    };
    let urls = state::Request {
        headers: &parts.headers,
        uri: &parts.uri,
        is_tls,
    };
    answer(&shared, urls, &query, &envelope).await
}

async fn answer(
    shared: &Shared,
    urls: state::Request<'_>,
    query: &Query,
    envelope: &Value,
) -> Response {
    let Some(head) = envelope["reqhead"].as_object() else {
        let code = Reason::RequestUnparsable.compat_code();
        return framing(&Map::new(), Framing::Head, code, "there is no reqhead");
    };
    let command = head.get("uint32_sub_cmd").and_then(Value::as_u64);
    let (ask, tell) = match command {
        Some(5) => ("req_0x5", "rsp_0x5"),
        Some(6) => ("req_0x6", "rsp_0x6"),
        _ => {
            let code = Reason::OperationUnknown.compat_code();
            return framing(
                head,
                Framing::Head,
                code,
                "uint32_sub_cmd is neither 5 nor 6",
            );
        }
    };
    let is_record = command == Some(5);
    let Some(fields) = envelope["reqbody"][ask].as_object() else {
        let code = mirrored(Reason::BodyMissing, is_record);
        return framing(
            head,
            Framing::Body,
            code,
            &format!("there is no reqbody.{ask}"),
        );
    };
    let done = match place(shared, query, head).await {
        Ok((control, place, user_id)) => {
            let call = Call {
                control,
                shared,
                urls,
                place,
                user_id,
                fields,
            };
            if is_record {
                call.record().await
            } else {
                call.bypass().await
            }
        }
        Err(error) => Err(error),
    };
    let reply = match done {
        Ok(mut reply) => {
            reply.insert("uint32_result".to_owned(), 0.into());
            reply
        }
        Err(error) => {
            let mut reply = Map::new();
            let code = mirrored(error.reason, is_record);
            reply.insert("uint32_result".to_owned(), code.into());
            reply.insert("str_errorinfo".to_owned(), error.detail.into());
            reply
        }
    };
    let body = json!({"reqhead": echoed(head, 0), "rspbody": {tell: reply}});
    json_answer(&body)
}

/// Who is meant: the room by its group's number, the one user, the app.
async fn place<'s>(
    shared: &'s Shared,
    query: &Query,
    head: &Map<String, Value>,
) -> Result<(&'s Control, Place, String), Error> {
    let control = plane(shared)?;
    let users = head.get("rpt_to_Account").and_then(Value::as_array);
    let user_id = match users.map(Vec::as_slice) {
        Some([Value::String(user)]) => user.clone(),
        _ => {
            let detail = "rpt_to_Account names exactly one user";
            return Err(Error::new(Reason::UserInvalid, detail));
        }
    };
    let app_id = match head.get("uint32_sdk_appid").and_then(Value::as_u64) {
        Some(app_id) if app_id > 0 => Some(app_id.to_string()),
        _ => query.get("sdkappid").map(str::to_owned),
    };
    let group = head.get("uint32_auth_key").and_then(Value::as_u64);
    let group = group
        .and_then(|group| u32::try_from(group).ok())
        .unwrap_or_default();
    let mut place = Place {
        app_id,
        room_id: group.to_string(),
        relation_id: None,
    };
    if group != 0 {
        let page = Page {
            limit: 1,
            cursor: None,
        };
        let rooms = control
            .rooms(place.app_id.clone(), Some(group), page)
            .await?;
        // A room that was not declared with the group has its number as its id.
        if let Some(room) = rooms.items.into_iter().next() {
            place.room_id = room.room_id;
        }
    }
    Ok((control, place, user_id))
}

impl Call<'_> {
    async fn bypass(self) -> Result<Map<String, Value>, Error> {
        let source = self.source("uint32_push_data_type")?;
        match self.operation()? {
            Operation::Start => self.start(source).await,
            Operation::Stop => self.stop(source).await,
        }
    }

    async fn start(self, source: Source) -> Result<Map<String, Value>, Error> {
        let protocols = match self.number("uint32_live_code") {
            Some(1) => vec![Protocol::Hls],
            Some(2) => vec![Protocol::Flv],
            Some(3) => vec![Protocol::Hls, Protocol::Flv],
            Some(5) => vec![Protocol::Rtmp],
            Some(6) => vec![Protocol::Hls, Protocol::Rtmp],
            _ => {
                let detail =
                    "uint32_live_code is 1 HLS, 2 FLV, 3 HLS and FLV, 5 RTMP or 6 HLS and RTMP";
                return Err(Error::new(Reason::ProtocolInvalid, detail));
            }
        };
        let password = Some(self.text("str_player_pwd")).filter(|word| !word.is_empty());
        let request = request::Start {
            record: self.record_ask().await?,
            place: self.place,
            user_id: self.user_id,
            source,
            spec: ChannelSpec {
                protocols,
                audio_only: false,
                sdk_type: self
                    .fields
                    .get("uint32_sdk_type")
                    .and_then(Value::as_u64)
                    .map(|kind| kind.to_string()),
                name: text(self.fields, "str_channel_name"),
                description: text(self.fields, "str_channel_describe"),
                password,
                metadata: Map::new(),
            },
            targets: Vec::new(),
            start_when: StartWhen::OnPublish,
            if_exists: IfExists::Error,
            must_be_in_room: true,
            sequence: None,
        };
        let started = self.control.start(request).await?;
        let urls = urls(&started.channel, self.shared, &self.urls);
        let mut reply = Map::new();
        reply.insert("uint64_channel_id".to_owned(), started.channel.id.0.into());
        let live: Vec<Value> = urls.iter().map(live_url).collect();
        reply.insert("msg_live_url".to_owned(), live.into());
        if let Some(recording) = started.recordings.first() {
            reply.insert("uint32_tape_task_id".to_owned(), recording.task_id.into());
        }
        Ok(reply)
    }

    async fn stop(self, source: Source) -> Result<Map<String, Value>, Error> {
        let request = request::Stop {
            place: self.place,
            ids: Vec::new(),
            user_id: Some(self.user_id),
            source: Some(source),
        };
        let stopped = self.control.stop(request).await?;
        let is_done = stopped
            .iter()
            .any(|one| matches!(one.effect, StopEffect::Stopped | StopEffect::IgnoredAuto));
        if is_done {
            return Ok(Map::new());
        }
        let detail = "there is no bypass of this user's source that runs";
        Err(Error::new(Reason::AlreadyStopped, detail))
    }

    /// A recording that a start asks for: the formats of the bitmask, or the policy's.
    async fn record_ask(&self) -> Result<Option<RecordAsk>, Error> {
        let mask = self.number("uint32_record_type");
        let is_wanted = self.number("uint32_tape_flag") == Some(1);
        if !is_wanted {
            return Ok(None);
        }
        const MP3: u64 = 0x10;
        let mut formats = Vec::new();
        match mask {
            None | Some(0) => {
                let policy = self.control.policy(self.place.app_id.clone()).await?;
                formats = policy.0.auto_record.formats;
            }
            Some(mask) if mask & !7 == 0 => {
                let known = [(1, Format::Hls), (2, Format::Flv), (4, Format::Mp4)];
                let asked = known.into_iter().filter(|(bit, _)| mask & bit != 0);
                formats.extend(asked.map(|(_, format)| format));
            }
            Some(mask) => {
                let what = if mask & MP3 == 0 {
                    "unknown bits"
                } else {
                    "MP3, which is not written"
                };
                let detail = format!("uint32_record_type {mask} names {what}");
                return Err(Error::new(Reason::FormatUnsupported, detail));
            }
        }
        Ok(Some(RecordAsk {
            formats,
            media: Media::Av,
            segment_s: None,
            record_id: None,
        }))
    }

    async fn record(self) -> Result<Map<String, Value>, Error> {
        let source = self.source("uint32_record_data_type")?;
        match self.operation()? {
            Operation::Start => self.start_recording(source).await,
            Operation::Stop => self.stop_recording(source).await,
        }
    }

    async fn start_recording(self, source: Source) -> Result<Map<String, Value>, Error> {
        let file_name = self.text("string_file_name");
        if file_name.is_empty() {
            let detail = "string_file_name is missing";
            return Err(Error::new(Reason::FileNameMissing, detail));
        }
        let tags = self.text("string_tags");
        let tags = tags
            .split([';', ','])
            .map(str::trim)
            .filter(|tag| !tag.is_empty());
        let class_id = self
            .number("uint32_classid")
            .and_then(|id| u32::try_from(id).ok());
        let request = request::RecordStart {
            user_id: self.user_id,
            source,
            file_name: Some(file_name),
            media: Media::Av,
            formats: Vec::new(),
            segment_s: None,
            tags: tags.take(MAX_TAGS).map(str::to_owned).collect(),
            class_id: class_id.unwrap_or_default(),
            record_id: None,
            start_at: None,
            end_at: None,
            callback: false,
            compat: true,
            place: self.place,
        };
        self.control.start_recording(request).await?;
        Ok(Map::new())
    }

    async fn stop_recording(self, source: Source) -> Result<Map<String, Value>, Error> {
        let request = request::RecordStop {
            place: self.place,
            user_id: self.user_id,
            source,
        };
        let stopped = self.control.stop_recordings(request).await?;
        if stopped.iter().all(|one| one.already) {
            let detail = "there is no recording of this user's source that runs";
            return Err(Error::new(Reason::RecordingAlreadyStopped, detail));
        }
        let mut numbers = Vec::new();
        for id in stopped.iter().flat_map(|one| &one.file_ids) {
            numbers.push(Value::from(
                self.control.file(*id).await?.number.to_string(),
            ));
        }
        let mut reply = Map::new();
        reply.insert("str_fileID".to_owned(), numbers.into());
        Ok(reply)
    }

    fn operation(&self) -> Result<Operation, Error> {
        match self.fields.get("uint32_oper") {
            None => Err(Error::new(
                Reason::OperationMissing,
                "uint32_oper is missing",
            )),
            Some(value) => match value.as_u64() {
                Some(1) => Ok(Operation::Start),
                Some(2) => Ok(Operation::Stop),
                _ => Err(Error::new(
                    Reason::OperationUnknown,
                    "uint32_oper is 1 start or 2 stop",
                )),
            },
        }
    }

    fn source(&self, field: &str) -> Result<Source, Error> {
        match self.fields.get(field).map(Value::as_u64) {
            None | Some(Some(0)) => Ok(Source::Main),
            Some(Some(1)) => Ok(Source::Aux),
            Some(_) => Err(Error::new(
                Reason::SourceInvalid,
                format!("{field} is 0 camera or 1 auxiliary"),
            )),
        }
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field)?.as_u64()
    }

    fn text(&self, field: &str) -> String {
        text(self.fields, field)
    }
}

enum Operation {
    Start,
    Stop,
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    let value = fields.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn live_url(url: &PlayUrl) -> Value {
    json!({"uint32_type": url.number(), "string_play_url": url.url(), "RateType": 0})
}

/// Recordings have numbers of their own, ten million below those of bypass.
fn mirrored(reason: Reason, is_record: bool) -> u32 {
    match reason.compat_code() {
        code @ 40_000_000..=40_000_499 if is_record => code - 10_000_000,
        code => code,
    }
}

/// The header of an answer: that of the request, with a result.
fn echoed(head: &Map<String, Value>, result: i64) -> Map<String, Value> {
    const ECHOED: [&str; 5] = [
        "uint32_sub_cmd",
        "uint32_seq",
        "uint32_auth_key",
        "uint32_sdk_appid",
        "bytes_cookie_buff",
    ];
    let mut echo: Map<String, Value> = ECHOED
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), head.get(name)?.clone())))
        .collect();
    echo.insert("uint32_result".to_owned(), result.into());
    echo
}

/// An answer to what is no request of this face.
fn framing(head: &Map<String, Value>, what: Framing, code: u32, detail: &str) -> Response {
    let mut echo = echoed(head, what as i64);
    echo.insert("str_error_msg".to_owned(), detail.into());
    json_answer(&json!({
        "ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": detail, "reqhead": echo,
    }))
}

fn json_answer(body: &Value) -> Response {
    let mut response = Response::new(to_json(body, false).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
