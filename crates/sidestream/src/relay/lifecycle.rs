//! The life of streams in the log: one line each for start, tracks, loss, return and end.

use std::time::Duration;

use hub::{Event, Events};
use media::TrackKind;

use crate::describe::{span, track, traffic};

/// Logs what happens until the hub closes.
pub(super) async fn log(mut events: Events) {
    while let Some(event) = events.next().await {
        line(&event);
    }
}

fn line(event: &Event) {
    match event {
        Event::PublishStarted { name, publisher } => tracing::info!(
            event = "publish.started",
            stream = %name,
            conn = %publisher.conn,
            peer = publisher.peer.map(tracing::field::display),
            protocol = publisher.protocol,
            client = %publisher.client,
            "publish started"
        ),
        Event::Tracks {
            name,
            tracks,
            first_unit_after,
        } => {
            let of = |kind| {
                let tracks = tracks.iter().filter(|t| t.kind() == kind);
                let words: Vec<String> = tracks.map(|t| track(t)).collect();
                (!words.is_empty()).then(|| words.join(" + "))
            };
            tracing::info!(
                event = "stream.tracks",
                stream = %name,
                video = of(TrackKind::Video).map(tracing::field::display),
                audio = of(TrackKind::Audio).map(tracing::field::display),
                first_frame = %span(*first_unit_after),
                "tracks"
            );
        }
        Event::PublisherLost {
            name,
            cause,
            after,
            window,
        } => tracing::info!(
            event = "publisher.lost",
            stream = %name,
            after = %span(*after),
            window = %seconds(*window),
            reason = %cause,
            "publisher lost"
        ),
        Event::PublisherBack {
            name,
            publisher,
            away,
        } => tracing::info!(
            event = "publisher.back",
            stream = %name,
            away = %span(*away),
            peer = publisher.peer.map(tracing::field::display),
            "publisher back"
        ),
        Event::StreamEnded(ended) => tracing::info!(
            event = "stream.ended",
            stream = %ended.name,
            duration = %span(ended.duration),
            r#in = %traffic(ended.bytes_in).replace(' ', ""),
            out = %traffic(ended.bytes_out).replace(' ', ""),
            viewers_max = ended.viewers_most,
            gaps = ended.gaps,
            skips = ended.skips,
            "stream ended"
        ),
        _ => {}
    }
}

fn seconds(duration: Duration) -> String {
    crate::config::quantity::show_duration(duration)
}
