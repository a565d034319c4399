//! The handle of the publisher that owns a stream.

mod writer;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::timeline::Placed;
use media::{AccessUnit, DataMessage, Dts, Extra, Headers, Timescale, Track, TrackId, TrackList};

use crate::error::Revoked;
use crate::event::Event;
use crate::frame::{Discontinuity, Frame, Item, Shared};
use crate::hub::Hub;
use crate::notice::Notice;
use crate::session::CloseCause;
use crate::stats::to_ms;
use crate::stream::Stream;
use writer::Session;

pub(crate) use writer::Writer;

/// Longest extra that is kept for late joiners, in bytes; longer ones are only passed on. Bounds:
/// a publisher that fills memory with what outlives its ring.
const KEPT_EXTRA_BYTES: usize = 16 << 10;

/// The right to write to a stream. Dropping it counts as a lost connection;
/// [`Publisher::close`] says more.
pub struct Publisher {
    hub: Hub,
    stream: Arc<Stream>,
    id: u64,
    notice: Arc<Notice<Revoked>>,
}

/// Why a track is not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The publisher no longer owns the stream.
    #[error(transparent)]
    Revoked(#[from] Revoked),
    /// The limit of tracks is reached.
    #[error("track {id} refused: a stream has at most {max} tracks")]
    TooMany {
        /// The track.
        id: TrackId,
        /// The limit.
        max: usize,
    },
}

impl Publisher {
    pub(crate) fn new(
        hub: Hub,
        stream: Arc<Stream>,
        id: u64,
        notice: Arc<Notice<Revoked>>,
    ) -> Self {
        Self {
            hub,
            stream,
            id,
            notice,
        }
    }

    /// The stream it writes to.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Adds a track, or changes the one with its id. It is announced to subscribers together with
    /// the next unit, so that audio and video of one start are one change; a track that equals
    /// the one announced changes nothing.
    ///
    /// # Errors
    /// [`TrackError`].
    pub fn track(&mut self, track: Track) -> Result<(), TrackError> {
        let mut writer = self.stream.writer();
        self.check(&mut writer)?;
        let known = writer.tracks.get(track.id).map(Arc::clone);
        if known.is_none() && writer.tracks.len() >= writer.max_tracks {
            return Err(TrackError::TooMany {
                id: track.id,
                max: writer.max_tracks,
            });
        }
        if known.as_ref().is_some_and(|known| known.completes(&track)) {
            // A publisher that comes back: the size follows with its first key frame.
            return Ok(());
        }
        if known.is_some_and(|known| !known.same_configuration(&track)) {
            // What was said about it described the old configuration.
            writer.extras.retain(|extra| extra.track != track.id);
            writer.extras_due.retain(|extra| extra.track != track.id);
        }
        writer.tracks = writer.tracks.with(track);
        writer.tracks_changed = true;
        Ok(())
    }

    /// Appends a unit whose time is a raw RTMP or FLV time (`raw_ms`, wrapping); `unit.dts` is
    /// replaced by its place on the stream's clock.
    ///
    /// # Errors
    /// [`Revoked`]: the publisher no longer owns the stream.
    pub fn unit_at(
        &mut self,
        raw_ms: u32,
        mut unit: AccessUnit,
        now: Instant,
    ) -> Result<(), Revoked> {
        let mut writer = self.stream.writer();
        self.check(&mut writer)?;
        let placed = writer.timeline.place(unit.track, raw_ms, Some(now));
        unit.dts = placed.dts;
        self.append(writer, unit, placed, now);
        Ok(())
    }

    /// Appends a unit with its own time in its track's timescale. Times are kept; only a constant
    /// is added where the stream's clock went on while there was another publisher, or where the
    /// times broke.
    ///
    /// # Errors
    /// [`Revoked`]: the publisher no longer owns the stream.
    pub fn unit(&mut self, mut unit: AccessUnit, now: Instant) -> Result<(), Revoked> {
        let mut writer = self.stream.writer();
        self.check(&mut writer)?;
        let timescale = writer.timescale(unit.track);
        let own_ms = to_ms(unit.dts, timescale);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "modulo 2^32 is meant"
        )]
        let placed = writer.timeline.place(unit.track, own_ms as u32, Some(now));
        let shift_ms = placed.dts.0 - own_ms;
        let shift = Timescale::MILLIS.convert(shift_ms, timescale, media::Rounding::Floor);
        unit.dts = Dts(unit.dts.0.saturating_add(shift));
        self.append(writer, unit, placed, now);
        Ok(())
    }

    /// Appends a data message; `raw_ms` as for [`Publisher::unit_at`]. `onMetaData` is kept for
    /// late joiners.
    ///
    /// # Errors
    /// [`Revoked`]: the publisher no longer owns the stream.
    pub fn data_at(
        &mut self,
        raw_ms: u32,
        name: &str,
        amf0: Bytes,
        now: Instant,
    ) -> Result<(), Revoked> {
        let mut writer = self.stream.writer();
        self.check(&mut writer)?;
        if let Some(owner) = writer.owned_by(self.id) {
            owner.last_received = now;
        }
        // Before the first unit of a session its clock is not known: now is where the stream is.
        let newest = writer.timeline.newest();
        let dts = match (writer.session, newest) {
            (Session::Starting, Some(newest)) => newest,
            _ => writer.timeline.locate(raw_ms),
        };
        let message = Arc::new(DataMessage {
            name: name.into(),
            dts,
            amf0,
        });
        if message.is_metadata() {
            writer.metadata = Some(Arc::clone(&message));
            self.set_headers(&writer);
        }
        self.push(&writer, Item::Data(message), dts.0, false);
        Ok(())
    }

    /// Passes on what is said about a track besides its configuration; `raw_ms` as for
    /// [`Publisher::unit_at`]. The latest of each track is kept for late joiners. Dropped when
    /// there is no such track.
    ///
    /// # Errors
    /// [`Revoked`]: the publisher no longer owns the stream.
    pub fn extra_at(&mut self, raw_ms: u32, extra: Extra, now: Instant) -> Result<(), Revoked> {
        let mut writer = self.stream.writer();
        self.check(&mut writer)?;
        if let Some(owner) = writer.owned_by(self.id) {
            owner.last_received = now;
        }
        if writer.tracks.get(extra.track).is_none() {
            return Ok(());
        }
        let extra = Arc::new(extra);
        writer.extras.retain(|known| known.track != extra.track);
        if extra.flv_body.len() <= KEPT_EXTRA_BYTES {
            writer.extras.push(Arc::clone(&extra));
        }
        if writer.tracks_changed {
            // It comes behind the configuration that it describes.
            writer.extras_due.retain(|due| due.track != extra.track);
            writer.extras_due.push(extra);
            return Ok(());
        }
        // Before the first unit of a session its clock is not known: now is where the stream is.
        let newest = writer.timeline.newest();
        let dts = match (writer.session, newest) {
            (Session::Starting, Some(newest)) => newest,
            _ => writer.timeline.locate(raw_ms),
        };
        self.set_headers(&writer);
        self.push(&writer, Item::Extra(extra), dts.0, false);
        Ok(())
    }

    /// Tells that the connection is alive: it sent something that is not media (yet).
    pub fn received(&mut self, now: Instant) {
        if let Some(owner) = self.stream.writer().owned_by(self.id) {
            owner.last_received = now;
        }
    }

    /// Ready when the publisher is sent away. One task may wait.
    pub fn poll_revoked(&self, cx: &mut Context<'_>) -> Poll<Revoked> {
        self.notice.poll(cx)
    }

    /// As [`Publisher::poll_revoked`]. Cancel safe.
    pub async fn revoked(&self) -> Revoked {
        poll_fn(|cx| self.poll_revoked(cx)).await
    }

    /// Leaves the stream; it waits for another publisher as the configuration says.
    pub fn close(self, now: Instant, cause: CloseCause) {
        self.hub.release(&self.stream, self.id, Some(now), cause);
    }

    fn check(&self, writer: &mut Writer) -> Result<(), Revoked> {
        if let Some(why) = self.notice.peek() {
            return Err(why);
        }
        match writer.owned_by(self.id) {
            Some(_) => Ok(()),
            None => Err(Revoked::Replaced),
        }
    }

    fn append(
        &self,
        mut writer: std::sync::MutexGuard<'_, Writer>,
        unit: AccessUnit,
        placed: Placed,
        now: Instant,
    ) {
        let timescale = writer.timescale(unit.track);
        let time_ms = placed.dts.0;
        let mut event = None;
        if let Some(owner) = writer.owned_by(self.id) {
            owner.last_received = now;
        }
        writer.has_begun(now);
        let is_first = writer.session == Session::Starting;
        if is_first || placed.jump.is_some() {
            writer.clock_ms = Some(time_ms);
        }
        if is_first {
            writer.session = Session::Running;
            if writer.counters.stats.sessions > 1 {
                self.push(
                    &writer,
                    Item::Discontinuity(Discontinuity::NewSession),
                    time_ms,
                    false,
                );
            }
        } else if let Some(jump) = placed.jump {
            writer.counters.jump(jump);
            self.push(
                &writer,
                Item::Discontinuity(Discontinuity::Clock(jump)),
                time_ms,
                false,
            );
        }
        let changed = std::mem::take(&mut writer.tracks_changed);
        if changed && !same_tracks(&writer.announced, &writer.tracks) {
            let tracks = Arc::new(writer.tracks.clone());
            writer.announced = Arc::clone(&tracks);
            writer.video_silent_since_ms = None;
            self.set_headers(&writer);
            self.push(&writer, Item::Tracks(Arc::clone(&tracks)), time_ms, false);
            let since = writer.owner.as_ref().map(|owner| owner.since);
            let first_unit_after =
                since.map_or(Duration::ZERO, |s| now.saturating_duration_since(s));
            event = Some(Event::Tracks {
                name: self.stream.name().clone(),
                tracks,
                first_unit_after,
            });
        }
        let due = std::mem::take(&mut writer.extras_due);
        if is_first || !due.is_empty() {
            self.set_headers(&writer);
        }
        for extra in due {
            self.push(&writer, Item::Extra(extra), time_ms, false);
        }
        // Who waited for the stream misses nothing of it that can be played.
        let begins = writer.counters.stats.units_in == 0 && unit.is_random_access();
        writer.counters.unit(&unit, timescale, time_ms);
        let leads = writer.leads(&unit, time_ms);
        if leads {
            writer.clock_ms = Some(time_ms);
        }
        let join = leads && writer.is_join(&unit, time_ms);
        if join {
            writer.last_join_ms = Some(time_ms);
            writer.counters.join(time_ms);
        }
        self.push(&writer, Item::Unit(unit), time_ms, join || begins);
        drop(writer);
        if let Some(event) = event {
            self.hub.emit(event);
        }
    }

    fn set_headers(&self, writer: &Writer) {
        let tracks = Arc::clone(&writer.announced);
        self.stream.ring().set_header(Arc::new(Headers {
            tracks,
            metadata: writer.metadata.clone(),
            extras: writer.extras.clone(),
        }));
    }

    fn push(&self, writer: &Writer, item: Item, time_ms: i64, join: bool) {
        self.stream.ring().push(Shared(Arc::new(Frame {
            item,
            time_ms,
            clock_ms: writer.clock_ms.unwrap_or(time_ms),
            offset_ms: writer.timeline.offset_ms(),
            join,
        })));
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Whoever was sent away may answer by dropping it.
        let cause = match self.notice.peek() {
            Some(why) => CloseCause::Revoked(why),
            None => CloseCause::Lost("connection dropped".into()),
        };
        self.hub.release(&self.stream, self.id, None, cause);
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({} #{})", self.stream.name(), self.id)
    }
}

fn same_tracks(a: &TrackList, b: &TrackList) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|(a, b)| a.id == b.id && a.same_configuration(b))
}
