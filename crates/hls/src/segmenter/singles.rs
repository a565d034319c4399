//! The tracks that viewers may have alone, and what each would cost them.

use media::{AccessUnit, DataMessage, TrackId, TrackList};
use remux::LeftOut;
use remux::flv::{TrackLabel, audio_labels};

use super::Segmenter;
use crate::bandwidth::{Declared, Meter};
use crate::container::Container;
use crate::feed::{Feed, audio_tracks};
use crate::mux::{Mux, Samples};
use crate::playlist::Label;
use crate::rendition::{Cut, Rendition};

/// Bytes of a fragment besides its samples: `moof` of one track and the head of `mdat`.
const FRAGMENT_BYTES: usize = 104;
/// Bytes that a fragment says of a sample, in most cases.
const SAMPLE_BYTES: usize = 8;
/// As many more of a picture: its own flags and time of presentation.
const PICTURE_BYTES: usize = 8;
/// Bytes that a fragment of encrypted samples says of its key, where that is not the init segment's:
/// `sgpd` and `sbgp`.
const KEY_BYTES: usize = 89;
/// A packet of a transport stream, and what it carries of a PES packet.
const PACKET_BYTES: usize = 188;
const PACKET_BODY: usize = 184;
/// Bytes of a unit besides its payload in a transport stream: PES header, clock, framing.
const UNIT_BYTES: usize = 40;

/// Tracks by themselves, in the containers that carry them.
#[derive(Debug)]
pub(super) struct Singles {
    samples: Samples,
    tracks: Vec<Single>,
    /// Alternatives to the default sound that a container cannot carry.
    alternatives: Vec<(Container, LeftOut)>,
    /// What the publisher calls its sounds.
    labels: Vec<TrackLabel>,
}

/// One track in one container.
#[derive(Debug)]
pub(super) struct Single {
    pub(super) feed: Feed,
    track: TrackId,
    pub(super) codecs: Vec<String>,
    channels: Option<u8>,
    /// In the whole, too.
    pub(super) is_default: bool,
    /// It had a unit in a segment.
    pub(super) is_heard: bool,
    /// Measured without muxing it: nobody may have asked for it.
    meter: Meter,
}

impl Singles {
    pub(super) fn new(samples: Samples) -> Self {
        Self {
            samples,
            tracks: Vec::new(),
            alternatives: Vec::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn set_tracks(&mut self, tracks: &TrackList) {
        let mut before = std::mem::take(&mut self.tracks);
        self.alternatives.clear();
        for container in Container::ALL {
            let video = tracks.video().map(|track| (Feed::Video(container), track));
            let audio = (0..).zip(audio_tracks(tracks));
            let audio = audio.map(|(n, track)| (Feed::Audio(container, n), track));
            for (feed, track) in video.into_iter().chain(audio) {
                let alone = TrackList::new(vec![track.clone()]);
                let (muxer, left_out) = Mux::new(container, self.samples, &alone);
                if muxer.is_empty() {
                    // What is a default one, the whole says.
                    let left_out = left_out.into_iter();
                    let left_out = left_out.filter(|out| !tracks.is_default(out.track));
                    self.alternatives
                        .extend(left_out.map(|out| (container, out)));
                    continue;
                }
                let same = |single: &Single| {
                    single.track == track.id && single.feed.container() == container
                };
                let known = before.iter().position(same);
                let known = known.map(|at| before.swap_remove(at));
                let config = track.config.as_ref().ok();
                let audio = config.and_then(media::CodecConfig::audio);
                self.tracks.push(Single {
                    feed,
                    track: track.id,
                    codecs: muxer.codec_strings(),
                    channels: audio.map(|params| params.channels),
                    is_default: tracks.is_default(track.id),
                    is_heard: known.as_ref().is_some_and(|known| known.is_heard),
                    meter: known.map_or_else(Meter::default, |known| known.meter),
                });
            }
        }
    }

    /// What a feed leaves out besides what its container cannot carry.
    pub(super) fn left_out_of(&self, feed: Feed, others: &[LeftOut]) -> Vec<LeftOut> {
        match feed {
            Feed::Main(container) => {
                let alternatives = self.alternatives.iter();
                let own = alternatives.filter(|(of, _)| *of == container);
                let own = own.map(|(_, left_out)| left_out);
                others.iter().chain(own).cloned().collect()
            }
            Feed::Video(_) | Feed::Audio(..) => Vec::new(),
        }
    }

    pub(super) fn carries(&self, track: TrackId) -> bool {
        self.tracks.iter().any(|single| single.track == track)
    }

    /// Counts what each would have been in this segment.
    pub(super) fn measure(&mut self, cut: &Cut, target_ms: u64) {
        for single in &mut self.tracks {
            let units = || cut.units.iter().filter(|unit| unit.track == single.track);
            let sizes = units().map(|unit: &AccessUnit| unit.payload.len());
            let bytes: usize = match single.feed {
                Feed::Main(Container::Ts)
                | Feed::Video(Container::Ts)
                | Feed::Audio(Container::Ts, _) => {
                    let packets = sizes.map(|size| (size + UNIT_BYTES).div_ceil(PACKET_BODY));
                    (2 + packets.sum::<usize>()) * PACKET_BYTES
                }
                Feed::Video(_) => {
                    let samples = sizes.map(|size| size + SAMPLE_BYTES + PICTURE_BYTES);
                    samples.sum::<usize>() + fragment_bytes(self.samples, cut)
                }
                Feed::Main(_) | Feed::Audio(..) => {
                    let samples = sizes.map(|size| size + SAMPLE_BYTES);
                    samples.sum::<usize>() + fragment_bytes(self.samples, cut)
                }
            };
            single.is_heard |= units().next().is_some();
            single.meter.add(cut.duration_ms, bytes, target_ms);
        }
    }

    /// The picture alone.
    pub(super) fn picture(&self, container: Container) -> Option<&Single> {
        let mut tracks = self.tracks.iter();
        tracks.find(|single| single.feed == Feed::Video(container))
    }

    /// The sounds in this container, the default one first.
    pub(super) fn sounds(&self, container: Container) -> impl Iterator<Item = &Single> {
        let is_sound = move |feed| matches!(feed, Feed::Audio(of, _) if of == container);
        self.tracks
            .iter()
            .filter(move |single| is_sound(single.feed))
    }

    /// What the publisher calls these sounds, or "Audio 1", "Audio 2"…; no two alike (RFC 8216
    /// §4.3.4.1.1).
    pub(super) fn labels(&self, sounds: &[&Single]) -> Vec<Label> {
        let mut labels: Vec<Label> = Vec::new();
        for single in sounds {
            let said = self.labels.iter().find(|label| label.track == single.track);
            let number = match single.feed {
                Feed::Audio(_, n) => usize::from(n) + 1,
                Feed::Main(_) | Feed::Video(_) => 1,
            };
            let name = said.and_then(|label| label.name.as_deref());
            // What a quoted string cannot hold (§4.2).
            let name = name.map(|name| name.replace('"', "'"));
            let mut name = name.unwrap_or_else(|| format!("Audio {number}"));
            while labels.iter().any(|other| other.name == name) {
                name = format!("{name} ({number})");
            }
            labels.push(Label {
                name,
                language: said.and_then(|label| label.language.clone()),
                channels: single.channels,
            });
        }
        labels
    }
}

/// What the parts of a segment take besides samples.
fn fragment_bytes(samples: Samples, cut: &Cut) -> usize {
    let head = match samples {
        Samples::Clear => FRAGMENT_BYTES,
        Samples::Encrypted => FRAGMENT_BYTES + KEY_BYTES,
    };
    cut.marks.len().max(1) * head
}

impl Single {
    pub(super) fn declared(&self) -> Declared {
        self.meter.declared()
    }
}

impl Segmenter {
    /// The publisher says what its tracks are called.
    pub(crate) fn describe(&mut self, message: &DataMessage) {
        let labels = audio_labels(message);
        if self.singles.labels != labels {
            self.singles.labels = labels;
            self.dirty = true;
            self.renditions.iter_mut().for_each(Rendition::touch);
        }
    }
}
