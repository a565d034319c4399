//! Why a feed has nothing.

use std::sync::Arc;

use media::{Track, TrackList};
use remux::LeftOut;

use crate::feed::Feed;

/// Why nothing can be served, unless a configuration may still arrive.
pub(super) fn refusal(
    feed: Feed,
    all: &TrackList,
    tracks: &TrackList,
    left_out: &[LeftOut],
) -> Option<Arc<str>> {
    let waits = |track: &Arc<Track>| matches!(track.config, Err(media::Unconfigured::Missing));
    if all.is_empty() || all.iter().any(waits) {
        return None;
    }
    if tracks.is_empty() {
        let what = match feed {
            Feed::Main(_) => return None,
            Feed::Video(_) => "no video".to_owned(),
            Feed::Audio(_, 0) => "no audio".to_owned(),
            Feed::Audio(_, n) => format!("no audio track {n} beside the default one"),
        };
        return Some(format!("the stream has {what}").into());
    }
    let reasons: Vec<String> = left_out
        .iter()
        .map(|out| {
            let kind = out.codec.kind().as_str();
            format!("{kind} track {} ({}): {}", out.track, out.codec, out.reason)
        })
        .collect();
    Some(reasons.join("; ").into())
}
