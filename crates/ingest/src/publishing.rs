//! One publisher on a connection: messages in, tracks and units out.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hub::{CloseCause, Publisher, Revoked, TrackError};
use media::{Extra, TrackKind};
use remux::flv::{ChannelConfig, Event, Parser, VideoMetadata};

use crate::config::{BITRATE_WINDOW, Counters};
use crate::listener::Shared;

/// How often trouble with a publisher's messages is logged.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// A message stream that publishes.
pub(crate) struct Publishing {
    pub(crate) message_stream_id: u32,
    pub(crate) publisher: Publisher,
    parser: Parser,
    rate: Rate,
    /// Messages dropped since the last report.
    dropped: u64,
    reported: Option<Instant>,
}

/// Why a publisher's message ends its publishing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(transparent)]
    Revoked(#[from] Revoked),
    #[error("it sends {bps} bit/s, more than limits.publish_bitrate ({max} bit/s)")]
    TooFast { bps: u64, max: u64 },
}

impl Publishing {
    pub(crate) fn new(shared: &Shared, message_stream_id: u32, publisher: Publisher) -> Self {
        Self {
            message_stream_id,
            publisher,
            parser: Parser::new(shared.config.flv),
            rate: Rate::new(shared.config.publish_bitrate_bps),
            dropped: 0,
            reported: None,
        }
    }

    /// An audio or video message. One that cannot be read is dropped, counted and reported; the
    /// stream goes on.
    pub(crate) fn media(
        &mut self,
        kind: TrackKind,
        timestamp: u32,
        body: &Bytes,
        now: Instant,
        counters: &Counters,
    ) -> Result<(), Stop> {
        self.rate.add(body.len(), now)?;
        let events = match kind {
            TrackKind::Audio => self.parser.audio(body),
            TrackKind::Video => self.parser.video(body),
        };
        let events = match events {
            Ok(events) => events,
            Err(error) => {
                self.drop_message(&error, now, counters);
                return Ok(());
            }
        };
        for event in events {
            match event {
                Event::Track(track) => match self.publisher.track(*track) {
                    Ok(()) => {}
                    Err(TrackError::Revoked(why)) => return Err(why.into()),
                    Err(error) => self.drop_message(&error, now, counters),
                },
                Event::Unit(unit) => self.publisher.unit_at(timestamp, unit, now)?,
                Event::Refused(error) => self.drop_message(&error, now, counters),
                Event::Metadata(VideoMetadata {
                    track,
                    flv_body: Some(flv_body),
                    ..
                })
                | Event::Channels(ChannelConfig {
                    track,
                    flv_body: Some(flv_body),
                    ..
                }) => self
                    .publisher
                    .extra_at(timestamp, Extra { track, flv_body }, now)?,
                // The end of a sequence; descriptions of several tracks at once: nothing to do
                // for the tracks that we keep.
                _ => self.publisher.received(now),
            }
        }
        Ok(())
    }

    /// A data message, `payload` being the AMF0 values after the name.
    pub(crate) fn data(
        &mut self,
        timestamp: u32,
        name: &str,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), Stop> {
        self.rate.add(payload.len(), now)?;
        let mut amf0 = BytesMut::with_capacity(3 + name.len() + payload.len());
        amf0::encode(&amf0::Value::String(name.to_owned()), &mut amf0);
        amf0.extend_from_slice(payload);
        Ok(self
            .publisher
            .data_at(timestamp, name, amf0.freeze(), now)?)
    }

    /// Leaves the stream.
    pub(crate) fn close(self, now: Instant, cause: CloseCause) {
        self.publisher.close(now, cause);
    }

    fn drop_message(&mut self, error: &dyn std::error::Error, now: Instant, counters: &Counters) {
        counters.bad_messages.fetch_add(1, Ordering::Relaxed);
        self.dropped += 1;
        self.publisher.received(now);
        if self
            .reported
            .is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY)
        {
            let stream = self.publisher.stream().name();
            tracing::info!(%stream, dropped = self.dropped, %error, "media message dropped");
            self.reported = Some(now);
            self.dropped = 0;
        }
    }
}

/// Bytes of the current window.
struct Rate {
    max_bps: u64,
    window: Option<Instant>,
    bytes: u64,
}

impl Rate {
    fn new(max_bps: u64) -> Self {
        Self {
            max_bps,
            window: None,
            bytes: 0,
        }
    }

    fn add(&mut self, bytes: usize, now: Instant) -> Result<(), Stop> {
        let start = *self.window.get_or_insert(now);
        if now.saturating_duration_since(start) >= BITRATE_WINDOW {
            self.window = Some(now);
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
        let bps = self.bytes * 8 / BITRATE_WINDOW.as_secs();
        if self.max_bps > 0 && bps > self.max_bps {
            return Err(Stop::TooFast {
                bps,
                max: self.max_bps,
            });
        }
        Ok(())
    }
}
