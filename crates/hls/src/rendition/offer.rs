//! What can be said of a rendition: codecs, pictures, bit rates.

use std::sync::Arc;

use media::config::VideoParams;
use media::{AccessUnit, TrackId, TrackKind};

use super::Rendition;
use crate::bandwidth::Declared;
use crate::container::HasVideo;
use crate::playlist::FrameRate;
use crate::presentation::About;

/// What a multivariant playlist can say of a feed.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) independent: bool,
    pub(crate) bandwidth: Declared,
    /// Of its first pictures alone.
    pub(crate) iframe_bandwidth: Declared,
    pub(crate) codecs: Vec<String>,
    pub(crate) video_codecs: Vec<String>,
    /// Width and height in pixels.
    pub(crate) resolution: Option<(u32, u32)>,
    pub(crate) frame_rate: Option<FrameRate>,
    pub(crate) has_video: bool,
}

impl Rendition {
    /// What a multivariant playlist says of it; none before there is something to play.
    pub(crate) fn offer(&self) -> Option<Offer> {
        (!self.window.is_empty()).then(|| Offer {
            independent: self.independent,
            bandwidth: self.meter.declared(),
            iframe_bandwidth: self.iframe_meter.declared(),
            codecs: self.mux.codec_strings(),
            video_codecs: self.video_codecs(),
            resolution: self.resolution(),
            frame_rate: self.shown_frame_rate(),
            has_video: self.video().is_some(),
        })
    }

    pub(super) fn has_video(&self) -> HasVideo {
        if self.carried.iter().any(|t| t.kind() == TrackKind::Video) {
            HasVideo::Yes
        } else {
            HasVideo::No
        }
    }

    fn resolution(&self) -> Option<(u32, u32)> {
        let video = self.video();
        let sized = video.filter(|video| video.width > 0 && video.height > 0);
        sized.map(|video| (video.width, video.height))
    }

    fn shown_frame_rate(&self) -> Option<FrameRate> {
        let video = self.video()?;
        stated_frame_rate(video).or(self.frame_rate)
    }

    /// What is said of the segment that ends now; shared while it stays the same.
    pub(super) fn about(&mut self) -> Arc<About> {
        let about = About {
            codecs: self.mux.codec_strings().join(",").into(),
            resolution: self.resolution(),
            frame_rate_milli: self.shown_frame_rate().map(FrameRate::milli),
        };
        if *self.about != about {
            self.about = Arc::new(about);
        }
        Arc::clone(&self.about)
    }

    pub(super) fn video_track(&self) -> Option<TrackId> {
        let mut carried = self.carried.iter();
        let video = carried.find(|track| track.kind() == TrackKind::Video)?;
        Some(video.id)
    }

    /// RFC 6381 names of the pictures alone.
    fn video_codecs(&self) -> Vec<String> {
        let video = self.carried.iter().filter(|t| t.kind() == TrackKind::Video);
        let configs = video.filter_map(|track| track.config.as_ref().ok());
        configs.map(media::CodecConfig::codec_string).collect()
    }

    fn video(&self) -> Option<VideoParams> {
        let configs = self.carried.iter().filter_map(|t| t.config.as_ref().ok());
        configs.filter_map(media::CodecConfig::video).next()
    }

    /// Whether the first picture, if there is one, can be decoded by itself.
    pub(super) fn first_picture(&self, units: &[AccessUnit]) -> Option<bool> {
        let video = |id: TrackId| {
            self.carried
                .iter()
                .any(|track| track.id == id && track.kind() == TrackKind::Video)
        };
        let first = units.iter().find(|unit| video(unit.track));
        first.map(AccessUnit::is_random_access)
    }
}

fn stated_frame_rate(video: VideoParams) -> Option<FrameRate> {
    let (num, den) = video.frame_rate?;
    // Some encoders write their clock's rate: what no screen shows is measured instead.
    let plausible = den > 0 && (1..=300).contains(&(num / den));
    plausible.then_some(FrameRate {
        frames: num.into(),
        per: den.into(),
        hz: 1,
    })
}
