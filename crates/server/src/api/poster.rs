//! A still of a stream, made without decoding: the last picture that can be decoded by itself, in
//! an MP4 of its own.
//!
//! ```text
//! the ring's newest join point ─▶ headers and unit ─▶ init segment | moof | mdat of one sample
//! ```
//!
//! Reads what the hub keeps for late joiners, so it starts nothing and costs nothing while nobody
//! asks.

use std::sync::Arc;

use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http::Method;
use hub::{Item, JoinAt, Received, Stream};
use media::{AccessUnit, Dts, Ticks, Track, TrackList};
use remux::mp4::FragmentMuxer;
use sha2::{Digest, Sha256};

use super::answer::{Answer, Content};
use super::ask::Ask;
use super::route::Route;
use super::stream;
use crate::content::{self, Gzip, PRIVATE_NO_CACHE};
use crate::error::{Problem, Reason};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/streams/{app}/{stream}/poster.mp4",
            "The last picture that stands by itself, as an MP4 of one frame",
            poster,
        )
        .sends(200, "video/mp4")
        .sends(206, "video/mp4")
        .empty(304),
    ]
}

async fn poster(ask: Ask) -> Result<Answer, Problem> {
    let name = ask.text("stream");
    let stream = match stream::find(&ask, name) {
        Ok(stream) => stream,
        Err(problem) => {
            // A stream may be called so itself.
            let whole = format!("{name}/poster.mp4");
            return match stream::find(&ask, &whole) {
                Ok(stream) => Ok(stream::detail(&ask, &stream)),
                Err(_) => Err(problem),
            };
        }
    };
    let file = picture(&stream)?;
    let etag = data_encoding::HEXLOWER.encode(&Sha256::digest(&file)[..16]);
    let content = content::Content {
        body: file.into(),
        gzip: Gzip::Never,
        content_type: "video/mp4",
        etag: format!("\"{etag}\""),
        cache_control: PRIVATE_NO_CACHE.into(),
    };
    let response = content::send(&content, &Method::GET, &ask.headers)?;
    Ok(answer(response))
}

fn answer(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: Content::Flow(body),
    }
}

/// The whole file.
fn picture(stream: &Stream) -> Result<Bytes, Problem> {
    let nothing = |why: String| {
        let detail = format!("no picture of {}: {why}", stream.name());
        Problem::new(Reason::PictureNotFound, detail)
    };
    let Some((track, mut unit)) = last_random_access(stream) else {
        let why = "no video is kept that can be decoded by itself";
        return Err(nothing(why.to_owned()));
    };
    let (codec, second) = (track.codec, i64::from(track.timescale.hz()));
    let (mut muxer, left_out) = FragmentMuxer::new(&TrackList::new(vec![track]));
    if let Some(left_out) = left_out.into_iter().next() {
        return Err(nothing(format!(
            "its video is {codec}: {}",
            left_out.reason
        )));
    }
    // A still begins at 0, whatever the stream's clock says, and lasts a second.
    unit.dts = Dts(0);
    unit.composition_offset = Ticks(0);
    let end = [(unit.track, Dts(second))];
    let fragment = muxer.fragment(&[unit], &end);
    let fragment = fragment.map_err(|error| nothing(error.to_string()))?;
    let init = muxer.init_segment();
    let mut file = BytesMut::with_capacity(init.len() + fragment.len());
    file.put(init);
    file.put(fragment);
    Ok(file.freeze())
}

/// The newest unit of the default video that can be decoded by itself, among those kept, and its
/// track as it was there.
fn last_random_access(stream: &Stream) -> Option<(Arc<Track>, AccessUnit)> {
    let mut subscriber = stream.subscribe_unhurried(JoinAt::Newest);
    let mut frames = Vec::new();
    let mut track = None;
    // The join, then what follows it.
    for _ in 0..2 {
        if let Received::Join { headers, .. } = subscriber.try_read(&mut frames)? {
            track = headers.tracks.video().map(Arc::clone);
        }
    }
    let track = track?;
    let unit = frames.iter().find_map(|frame| match &frame.item {
        Item::Unit(unit) if unit.track == track.id && unit.is_random_access() => Some(unit.clone()),
        _ => None,
    });
    Some((track, unit?))
}
