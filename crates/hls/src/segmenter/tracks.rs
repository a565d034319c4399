//! The tracks of a stream: which are served, and what becomes of the open segment when they change.

use std::sync::Arc;

use media::{Track, TrackId, TrackKind, TrackList};
use remux::LeftOut;

use super::{Segmenter, Served, VideoState};
use crate::container::{Container, Each};
use crate::feed::audio_tracks;
use crate::mux::Change;

impl Segmenter {
    /// From the next unit on the stream has these tracks. The default video and the audio tracks
    /// are served; an identical list changes nothing (H6), another one ends the open segment and
    /// begins the next with a discontinuity in the containers that it concerns. Tracks that are
    /// added before the first segment ended only join it.
    pub fn tracks(&mut self, tracks: &Arc<TrackList>) {
        if self.ended {
            return;
        }
        let (defaults, others) = split(tracks);
        if same(&self.tracks, &defaults) && self.others == others {
            return;
        }
        let joins = !self.tracks_used && self.only_added(&defaults);
        if !joins && !same(&self.tracks, &defaults) {
            self.end_open();
            self.newest = None;
        }
        let video_changed = match (self.tracks.video(), defaults.video()) {
            (Some(before), Some(after)) => {
                before.id != after.id || !before.same_configuration(after)
            }
            _ => true,
        };
        if video_changed || (self.is_on_ladder() && !joins) {
            self.video = VideoState::Awaiting { since: None };
        }
        self.singles.set_tracks(&defaults);
        let mut changed = Each::default();
        for rendition in &mut self.renditions {
            let feed = rendition.feed();
            let beside = self.singles.left_out_of(feed, &others);
            let change = rendition.set_tracks(&defaults, &beside);
            *changed.of_mut(feed.container()) |= change == Change::Configuration;
        }
        for container in Container::ALL {
            if changed.of(container) {
                self.note_change(container);
            }
        }
        let mut served: Vec<Served> = defaults
            .iter()
            .filter(|track| {
                let carried = self.renditions.iter().any(|r| r.carries(track.id));
                carried || self.singles.carries(track.id)
            })
            .map(|track| Served {
                track: track.id,
                kind: track.kind(),
                timescale: track.timescale,
                follows: !defaults.is_default(track.id),
            })
            .collect();
        served.sort_by_key(|served| (served.follows, served.kind != TrackKind::Video));
        let leading = served.iter().filter(|served| !served.follows);
        let ids: Vec<TrackId> = leading.map(|served| served.track).collect();
        self.cutter.set_tracks(&ids);
        self.served = served;
        self.tracks_used &= same(&self.tracks, &defaults);
        self.tracks = defaults;
        self.others = others;
        self.dirty = true;
    }

    /// Whether all tracks that are served stay as they are in this list.
    fn only_added(&self, tracks: &TrackList) -> bool {
        self.served.iter().all(|served| {
            let (before, after) = (self.tracks.get(served.track), tracks.get(served.track));
            matches!((before, after), (Some(a), Some(b)) if a.same_configuration(b))
        })
    }
}

/// The default video and all audio, and why the other tracks are left out.
fn split(tracks: &TrackList) -> (TrackList, Vec<LeftOut>) {
    let audio: Vec<TrackId> = audio_tracks(tracks).map(|track| track.id).collect();
    let is_served = |id| tracks.is_default(id) || audio.contains(&id);
    let (served, others): (Vec<_>, Vec<_>) = tracks
        .iter()
        .cloned()
        .partition(|track| is_served(track.id));
    let others = others.iter().map(|track| left_out(track));
    (TrackList::new(served), others.collect())
}

/// A track that is neither the default video nor among the sounds.
fn left_out(track: &Track) -> LeftOut {
    LeftOut {
        track: track.id,
        codec: track.codec,
        reason: "HLS serves the default video and eight audio tracks".to_owned(),
    }
}

/// Whether both lists have the same tracks in the same configurations.
fn same(a: &TrackList, b: &TrackList) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|(a, b)| a.id == b.id && a.same_configuration(b))
}
