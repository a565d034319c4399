//! What a stream's multivariant playlists offer.
//!
//! ```text
//! MPEG-TS                  ts.m3u8, ts-iframes.m3u8
//! fMP4                     fmp4.m3u8, audio.m3u8, iframes.m3u8
//! fMP4 of sound alone      fmp4.m3u8
//! ```

use super::Segmenter;
use super::sounds::Sound;
use crate::bandwidth::Declared;
use crate::container::Container;
use crate::feed::{Feed, PlaylistName};
use crate::playlist::{self, Multivariant, Report, Variant, VariantKind};
use crate::rendition::Rendition;

impl Segmenter {
    /// Feeds that are offered besides those of both containers: the default sound, where there is
    /// a picture too. What further sounds there are is served to who asks for them by name; they
    /// are not offered, since players that know no audio groups would then play none.
    pub(super) fn offered(&self) -> Option<Feed> {
        let sound = self.sounds.iter().next().map(|sound| sound.feed);
        sound.filter(|_| self.tracks.video().is_some())
    }

    /// How far the playlists of the fMP4 multivariant playlist are; nothing where there is one.
    pub(super) fn reports(&self) -> Vec<(Feed, Option<Report>)> {
        let (Some(sound), Some(_)) = (self.offered(), &self.parts) else {
            return Vec::new();
        };
        let report = |feed: Feed| {
            let rendition = self.rendition(feed).filter(|r| r.is_enabled())?;
            let (sequence, part) = rendition.position()?;
            Some(Report {
                uri: feed.playlist_name().to_owned(),
                sequence,
                part,
            })
        };
        let feeds = [Feed::Main(Container::Fmp4), sound].into_iter();
        feeds.map(|feed| (feed, report(feed))).collect()
    }

    /// Where one playlist has more, the reports in the others say so.
    pub(super) fn report_anew(&mut self) {
        let parts = self.parts.is_some();
        let in_parts = self.renditions.iter_mut();
        let mut in_parts: Vec<_> = in_parts.filter(|r| parts && r.makes_parts()).collect();
        if in_parts.iter().any(|rendition| rendition.is_dirty()) {
            in_parts.iter_mut().for_each(|rendition| rendition.touch());
        }
    }

    /// Writes the multivariant playlists whose media playlists have changed.
    pub(super) fn render_multivariant(&mut self) {
        for container in Container::ALL {
            let feed = Feed::Main(container);
            let changed = self.rendition(feed).is_some_and(Rendition::is_dirty);
            let says = if changed {
                self.multivariant(container)
            } else {
                None
            };
            if let (Some(says), Some(rendition)) = (says, self.rendition_mut(feed)) {
                rendition.set_multivariant(says);
            }
        }
    }

    fn multivariant(&self, container: Container) -> Option<Multivariant> {
        let main = self.rendition(container.into())?.offer()?;
        let whole = Variant {
            uri: self.uri(Feed::Main(container).playlist_name()),
            bandwidth: main.bandwidth,
            codecs: main.codecs.clone(),
            resolution: main.resolution,
            frame_rate: main.frame_rate,
            kind: VariantKind::Whole,
        };
        let mut says = Multivariant {
            container,
            independent: main.independent,
            variants: vec![whole],
        };
        // After the end nothing begins any more: what nobody asked for is not there.
        let is_there = |sound: &&Sound| {
            let rendition = self.rendition(sound.feed);
            !self.ended || rendition.is_some_and(|rendition| rendition.offer().is_some())
        };
        let heard = |sound: &&Sound| self.bandwidth(sound).peak > 0;
        if container == Container::Fmp4
            && main.has_video
            && let Some(sound) = self.sounds.iter().next().filter(heard).filter(is_there)
        {
            says.variants.push(Variant {
                uri: self.uri(sound.feed.playlist_name()),
                bandwidth: self.bandwidth(sound),
                codecs: sound.codecs.clone(),
                resolution: None,
                frame_rate: None,
                kind: VariantKind::Whole,
            });
        }
        if main.has_video && main.iframe_bandwidth.peak > 0 {
            says.variants.push(Variant {
                uri: self.uri(PlaylistName::IFrames(container).as_str()),
                bandwidth: main.iframe_bandwidth,
                codecs: main.video_codecs,
                resolution: main.resolution,
                frame_rate: None,
                kind: VariantKind::IFrames,
            });
        }
        Some(says)
    }

    /// What a sound alone costs: as it was sent where it was, as it would have been elsewhere.
    fn bandwidth(&self, sound: &Sound) -> Declared {
        let rendition = self.rendition(sound.feed).filter(|r| r.is_enabled());
        let sent = rendition.and_then(Rendition::offer).map(|o| o.bandwidth);
        let (sent, would) = (sent.unwrap_or_default(), sound.declared());
        Declared {
            peak: sent.peak.max(would.peak),
            average: sent.average.max(would.average),
        }
    }

    fn uri(&self, playlist: &str) -> String {
        playlist::uri(&self.config.stream, playlist)
    }
}
