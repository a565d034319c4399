//! Own frames in: the publisher of a stream inside this process.

use std::sync::Arc;
use std::time::Instant;

use hub::{CloseCause, Revoked};
use media::config::CodecConfig;
use media::{AccessUnit, Codec, StreamName, Timescale, TrackId};

use super::error::Error;

/// A track to publish: its codec configuration and its clock.
#[derive(Clone, Debug)]
pub struct Track {
    config: CodecConfig,
    timescale: Timescale,
}

impl Track {
    /// H.264 of an avcC record (ISO/IEC 14496-15 §5.3.3.1). Copies it.
    ///
    /// # Errors
    /// When the record cannot be parsed.
    pub fn h264(avcc: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::parse(Codec::H264, avcc)
    }

    /// HEVC of an hvcC record (ISO/IEC 14496-15 §8.3.3.1). Copies it.
    ///
    /// # Errors
    /// When the record cannot be parsed.
    pub fn h265(hvcc: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::parse(Codec::H265, hvcc)
    }

    /// AV1 of an av1C record (AV1-ISOBMFF §2.3.3). Copies it.
    ///
    /// # Errors
    /// When the record cannot be parsed.
    pub fn av1(av1c: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::parse(Codec::Av1, av1c)
    }

    /// AAC of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1). Copies it.
    ///
    /// # Errors
    /// When it cannot be parsed.
    pub fn aac(config: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::parse(Codec::Aac, config)
    }

    /// Opus of an OpusHead, with or without its magic (RFC 7845 §5.1). Copies it.
    ///
    /// # Errors
    /// When it cannot be parsed.
    pub fn opus(head: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::parse(Codec::Opus, head)
    }

    /// Any codec with a configuration record of its own.
    ///
    /// # Errors
    /// When it cannot be parsed.
    pub fn parse(codec: Codec, record: impl AsRef<[u8]>) -> Result<Self, Error> {
        Ok(Self {
            config: CodecConfig::parse(codec, record.as_ref())?,
            timescale: Timescale::MILLIS,
        })
    }

    /// Sets the clock of its access units; milliseconds unless set.
    #[must_use]
    pub fn timescale(mut self, timescale: Timescale) -> Self {
        self.timescale = timescale;
        self
    }
}

impl From<CodecConfig> for Track {
    fn from(config: CodecConfig) -> Self {
        Self {
            config,
            timescale: Timescale::MILLIS,
        }
    }
}

/// The right to write to a stream. Nothing here waits.
///
/// Dropping it counts as a lost publisher: the stream waits for `streams.reconnect_window`.
/// [`Publisher::finish`] says goodbye.
#[derive(Debug)]
pub struct Publisher {
    inner: hub::Publisher,
    next_track: u16,
}

impl Publisher {
    pub(super) fn new(inner: hub::Publisher) -> Self {
        Self {
            inner,
            next_track: 0,
        }
    }

    /// The stream it writes to.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        self.inner.stream().name()
    }

    /// Adds a track; subscribers learn of it together with the next unit.
    ///
    /// # Errors
    /// [`Error::Track`]: too many tracks, or the stream has another publisher now.
    pub fn add_track(&mut self, track: Track) -> Result<TrackId, Error> {
        let id = TrackId(self.next_track);
        self.inner
            .track(media::Track::new(id, track.timescale, track.config))?;
        self.next_track = self.next_track.saturating_add(1);
        Ok(id)
    }

    /// Gives an added track a new configuration.
    ///
    /// # Errors
    /// As [`Publisher::add_track`].
    pub fn change_track(&mut self, id: TrackId, track: Track) -> Result<(), Error> {
        Ok(self
            .inner
            .track(media::Track::new(id, track.timescale, track.config))?)
    }

    /// Appends a unit. Its payload is shared, not copied; its times are kept.
    ///
    /// # Errors
    /// [`Error::Revoked`]: the publisher no longer owns the stream.
    pub fn send(&mut self, unit: AccessUnit) -> Result<(), Error> {
        Ok(self.inner.unit(unit, Instant::now())?)
    }

    /// Waits until the publisher is sent away. Cancel safe.
    pub async fn revoked(&self) -> Revoked {
        self.inner.revoked().await
    }

    /// Ends the stream: viewers get the rest and, after `streams.viewer_end_grace`, the end.
    pub fn finish(self) {
        self.inner.close(Instant::now(), CloseCause::Finished);
    }

    /// The stream as the hub has it.
    #[must_use]
    pub fn stream(&self) -> &Arc<hub::Stream> {
        self.inner.stream()
    }
}
