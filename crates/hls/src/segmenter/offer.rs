//! What a stream's multivariant playlists offer.
//!
//! ```text
//!                          one sound                             several
//! fMP4                     fmp4.m3u8, audio.m3u8, iframes.m3u8   video.m3u8, audio.m3u8, audio-1.m3u8…, iframes.m3u8
//! fMP4 of sound alone      fmp4.m3u8                             audio.m3u8, audio-1.m3u8…
//! MPEG-TS                  ts.m3u8, ts-iframes.m3u8              ts-video.m3u8, ts-audio.m3u8, ts-audio-1.m3u8…, ts-iframes.m3u8
//! ```

use super::Segmenter;
use super::singles::Single;
use crate::bandwidth::Declared;
use crate::container::Container;
use crate::feed::{Feed, PlaylistName};
use crate::playlist::{self, Choice, Multivariant, Report, Sound, Variant};
use crate::rendition::Rendition;

impl Segmenter {
    /// The sound alone that is offered beside the whole.
    pub(super) fn sound_alone(&self) -> Option<&Single> {
        let sound = self.singles.sounds(Container::Fmp4).next();
        sound.filter(|_| self.tracks.video().is_some())
    }

    /// What is offered in place of the whole, where there are sounds to choose from: those that
    /// were heard already, in this container.
    pub(super) fn choice(&self, container: Container) -> Option<(Option<&Single>, Vec<&Single>)> {
        let is_offered = |single: &&Single| single.is_heard && self.is_there(single);
        let sounds = self.singles.sounds(container).filter(is_offered);
        let sounds: Vec<&Single> = sounds.collect();
        let picture = self.singles.picture(container).filter(is_offered);
        let can_choose = sounds.iter().any(|sound| !sound.is_default);
        let has_picture = self.singles.picture(container).is_some();
        (can_choose && has_picture == picture.is_some()).then_some((picture, sounds))
    }

    /// After the end nothing begins any more: what nobody asked for is not there.
    fn is_there(&self, single: &Single) -> bool {
        let rendition = self.rendition(single.feed);
        !self.ended || rendition.is_some_and(|rendition| rendition.offer().is_some())
    }

    /// Feeds of the fMP4 multivariant playlist.
    pub(super) fn offered(&self) -> Vec<Feed> {
        match self.choice(Container::Fmp4) {
            Some((picture, sounds)) => {
                let feeds = picture.into_iter().chain(sounds);
                feeds.map(|single| single.feed).collect()
            }
            None => {
                let sound = self.sound_alone().map(|sound| sound.feed);
                let whole = Feed::Main(Container::Fmp4);
                [whole].into_iter().chain(sound).collect()
            }
        }
    }

    /// How far the playlists of the fMP4 multivariant playlist are; nothing where there is one.
    pub(super) fn reports(&self) -> Vec<(Feed, Option<Report>)> {
        let offered = self.offered();
        if self.parts.is_none() || offered.len() < 2 {
            return Vec::new();
        }
        let report = |feed: Feed| {
            let rendition = self.rendition(feed).filter(|r| r.is_enabled())?;
            let (sequence, part) = rendition.position()?;
            Some(Report {
                uri: feed.playlist_name().to_owned(),
                sequence,
                part,
            })
        };
        let feeds = offered.into_iter();
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
            codecs: main.codecs,
            resolution: main.resolution,
            frame_rate: main.frame_rate,
        };
        let costs = |single: &&Single| self.bandwidth(single).peak > 0;
        let sound = self.sound_alone().filter(costs);
        let sound = sound.filter(|sound| container == Container::Fmp4 && self.is_there(sound));
        let sound = sound.filter(|_| main.has_video).map(|sound| Variant {
            resolution: None,
            frame_rate: None,
            ..self.alone(sound, &whole)
        });
        let has_iframes = main.has_video && main.iframe_bandwidth.peak > 0;
        let iframes = has_iframes.then(|| Variant {
            uri: self.uri(PlaylistName::IFrames(container).as_str()),
            bandwidth: main.iframe_bandwidth,
            codecs: main.video_codecs,
            resolution: main.resolution,
            frame_rate: None,
        });
        let choice = self.choice(container).map(|(picture, sounds)| Choice {
            picture: picture.map(|picture| self.alone(picture, &whole)),
            sounds: self.labelled(&sounds),
        });
        Some(Multivariant {
            container,
            independent: main.independent,
            whole,
            sound,
            iframes,
            choice,
        })
    }

    /// A track of the whole by itself.
    fn alone(&self, single: &Single, whole: &Variant) -> Variant {
        Variant {
            uri: self.uri(single.feed.playlist_name()),
            bandwidth: self.bandwidth(single),
            codecs: single.codecs.clone(),
            ..whole.clone()
        }
    }

    fn labelled(&self, sounds: &[&Single]) -> Vec<Sound> {
        let labels = self.singles.labels(sounds);
        let both = sounds.iter().zip(labels);
        both.map(|(single, label)| Sound {
            uri: self.uri(single.feed.playlist_name()),
            bandwidth: self.bandwidth(single),
            codecs: single.codecs.clone(),
            label,
        })
        .collect()
    }

    /// What a track alone costs: as it was sent where it was, as it would have been elsewhere.
    fn bandwidth(&self, single: &Single) -> Declared {
        let rendition = self.rendition(single.feed).filter(|r| r.is_enabled());
        let sent = rendition.and_then(Rendition::offer).map(|o| o.bandwidth);
        let (sent, would) = (sent.unwrap_or_default(), single.declared());
        Declared {
            peak: sent.peak.max(would.peak),
            average: sent.average.max(would.average),
        }
    }

    fn uri(&self, playlist: &str) -> String {
        playlist::uri(&self.config.stream, playlist)
    }
}
