//! Tokens that open a stream to a player.

use std::pin::Pin;
use std::time::Duration;

use http::StatusCode;
use media::StreamName;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Text, Whole, input};
use super::route::Route;
use super::wire::percent_encoded;
use crate::error::{Problem, Reason};

/// A token that is being made.
pub type Token<'a> = Pin<Box<dyn Future<Output = String> + Send + 'a>>;

/// Makes tokens for players.
pub trait PlayTokens: Send + Sync + 'static {
    /// A token that opens a stream for `valid`, as `?token=`.
    fn token<'a>(&'a self, stream: &'a StreamName, valid: Duration) -> Token<'a>;
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/play/{stream_id}/token",
            "Opens a stream to one player for a time",
            open,
        )
        .parameter::<Text<1, 255>>("stream_id")
        .optional_body::<Open>(r#"{"ttl_s": 600}"#)
        .answers::<Opened>(201),
    ]
}

input! {
    /// How long a player may begin to watch.
    pub(super) struct Open {
        /// Seconds; who watches by then goes on.
        ttl_s: Whole<1, 604_800> = Whole::of(3_600),
    }
}

/// A token, and where it opens.
#[derive(Serialize, ToSchema)]
#[schema(as = PlayToken)]
pub(super) struct Opened {
    /// `?token=` of every URL of the stream.
    token: String,
    expires_at: String,
    hls: String,
    flv: String,
    rtmp: Option<String>,
}

async fn open(ask: Ask) -> Result<Answer, Problem> {
    let id: Text<1, 255> = ask.parameter("stream_id")?;
    let open: Open = ask.optional_body()?;
    let control = ask.control()?;
    let info = control
        .stream(id.0)
        .await
        .map_err(|error| ask.refused(error))?;
    let name: Result<StreamName, _> = info.source.stream.parse();
    let (Some(tokens), Ok(name)) = (&ask.shared.play_tokens, name) else {
        let reason = Reason::Control(control::Reason::ServiceNotEnabled);
        return Err(Problem::new(
            reason,
            "this relay makes no tokens for players",
        ));
    };
    let valid = Duration::from_secs(open.ttl_s.unsigned());
    let token = tokens.token(&name, valid).await;
    let (base, path) = (
        ask.shared.base_url(&ask.urls()),
        percent_encoded(name.as_str()),
    );
    let rtmp = ask.shared.rtmp_base(&ask.urls());
    let answer = Opened {
        hls: format!("{base}/{path}.m3u8?token={token}"),
        flv: format!("{base}/{path}.flv?token={token}"),
        rtmp: rtmp.map(|base| format!("{base}/{path}?token={token}")),
        expires_at: control.now().plus(valid).to_string(),
        token,
    };
    Ok(ask.json(StatusCode::CREATED, &answer))
}
