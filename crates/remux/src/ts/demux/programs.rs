//! What PIDs are: the program association table names programs and the PIDs of their maps, the map
//! of the chosen program its streams.

use std::sync::Arc;

use media::{Codec, Timescale, Track, TrackId, TrackKind, TrackList, Unconfigured};

use super::Demuxer;
use super::audio::Framer;
use super::latm::Latm;
use super::section::Table;
use super::stream::{Arrival, NewReader, Stream};
use super::tables::{self, Content, Map, Program};
use crate::{Event, LeftOut};

/// What a PID is; indices fit because of [`MAX_SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Unknown,
    Pat,
    Map(u8),
    Stream(u8),
}

/// Indices that a [`Slot`] holds.
pub(super) const MAX_SLOTS: usize = 256;

impl Demuxer {
    /// What a PID is.
    pub(super) fn slot(&self, pid: u16) -> Slot {
        self.pids
            .get(usize::from(pid))
            .copied()
            .unwrap_or(Slot::Unknown)
    }

    /// A packet of the program association table.
    pub(super) fn pat(&mut self, arrival: Arrival, payload: &[u8]) {
        let mut changed = Vec::new();
        let sound = self.pat.push(arrival, payload, |section, body| {
            changed.extend(tables::associations(section, body));
        });
        if !sound {
            let range = arrival.offset..arrival.end;
            self.shared.damage(
                range,
                None,
                "a program association table with a wrong checksum",
            );
        }
        for (section, associations) in changed {
            self.associate(section, &associations);
        }
    }

    /// Takes a section of the PAT: the first one begins the list anew.
    fn associate(&mut self, section: u8, associations: &[(u16, u16)]) {
        let (mut programs, mut maps) = if section == 0 {
            (Vec::new(), Vec::new())
        } else {
            (
                std::mem::take(&mut self.programs),
                std::mem::take(&mut self.maps),
            )
        };
        for &(number, map_pid) in associations {
            if programs.len() >= self.limits.programs {
                break;
            }
            let is_new = |p: &Program| p.number != number && p.map_pid != map_pid;
            if map_pid == 0 || !programs.iter().all(is_new) {
                continue;
            }
            let known = self.programs.iter().zip(&mut self.maps);
            let same = |(p, _): &(&Program, &mut Table)| p.number == number && p.map_pid == map_pid;
            match known.into_iter().find(same) {
                Some((program, map)) => {
                    programs.push(program.clone());
                    maps.push(std::mem::take(map));
                }
                None => {
                    programs.push(Program {
                        number,
                        map_pid,
                        pcr_pid: None,
                        streams: Vec::new(),
                    });
                    maps.push(Table::default());
                }
            }
        }
        (self.programs, self.maps) = (programs, maps);
        if self
            .chosen
            .is_some_and(|chosen| self.programs.iter().all(|p| p.number != chosen))
        {
            // Its number changed: the next map with media is read, the streams go on until then.
            self.chosen = None;
            self.maps.iter_mut().for_each(Table::forget_last);
        }
        self.assign_pids();
    }

    /// Rebuilds the table of PIDs.
    fn assign_pids(&mut self) {
        self.pids.fill(Slot::Unknown);
        let streams = self.streams.iter().map(|stream| stream.pid).enumerate();
        let streams = streams.map(|(n, pid)| (pid, u8::try_from(n).map(Slot::Stream)));
        let maps = self
            .programs
            .iter()
            .map(|program| program.map_pid)
            .enumerate();
        let maps = maps.map(|(n, pid)| (pid, u8::try_from(n).map(Slot::Map)));
        for (pid, slot) in streams.chain(maps).chain([(0, Ok(Slot::Pat))]) {
            if let (Some(place), Ok(slot)) = (self.pids.get_mut(usize::from(pid)), slot) {
                *place = slot;
            }
        }
    }

    /// A packet of the map of the program at `index`.
    pub(super) fn map(&mut self, index: usize, arrival: Arrival, payload: &[u8]) {
        let max = self.limits.streams;
        let mut found = Vec::new();
        let Some(table) = self.maps.get_mut(index) else {
            return;
        };
        let sound = table.push(arrival, payload, |section, body| {
            found.extend(tables::map(section, body, max));
        });
        if !sound {
            let range = arrival.offset..arrival.end;
            self.shared
                .damage(range, None, "a program map with a wrong checksum");
        }
        for map in found {
            let Some(program) = self
                .programs
                .get_mut(index)
                .filter(|p| p.number == map.number)
            else {
                continue;
            };
            program.pcr_pid = Some(map.pcr_pid);
            program.streams = map.streams.iter().map(|entry| entry.stream).collect();
            let has_media = program.streams.iter().any(|s| s.content.codec().is_some());
            let is_chosen = match (self.chosen, self.wanted) {
                (Some(chosen), _) => chosen == map.number,
                (None, Some(wanted)) => wanted == map.number,
                (None, None) => has_media,
            };
            if is_chosen {
                self.chosen = Some(map.number);
                self.follow(&map, arrival.offset);
            }
        }
    }

    /// Reads the streams of this map from now on. Streams that go on keep their state, new ones get
    /// the lowest track number of their kind that is free.
    fn follow(&mut self, map: &Map, offset: u64) {
        let mut before = std::mem::take(&mut self.streams);
        let left_out_before = std::mem::take(&mut self.shared.left_out);
        let mut streams: Vec<Stream> = Vec::new();
        let mut tracks: Vec<Arc<Track>> = Vec::new();
        // What goes on is known first, so that new tracks do not take its numbers.
        let stays = |stream: &Stream| {
            map.streams.iter().any(|entry| {
                let key = (entry.stream.stream_type, entry.opus_channels);
                entry.stream.pid == stream.pid && key == stream.map_entry
            })
        };
        let mut taken: Vec<TrackId> = before
            .iter()
            .filter(|stream| stays(stream))
            .filter_map(|stream| stream.track.map(|(id, _)| id))
            .collect();
        for entry in &map.streams {
            let pid = entry.stream.pid;
            if pid == 0 || pid == 0x1fff || streams.iter().any(|stream| stream.pid == pid) {
                continue;
            }
            let known = before.iter().position(|s| s.pid == pid && stays(s));
            let stream = match known {
                Some(at) => before.swap_remove(at),
                None => {
                    let Some((reader, codec)) = reader(entry) else {
                        if let Some((codec, what)) = entry.stream.unread() {
                            let track = free_id(codec.kind(), &mut taken);
                            let reason = format!("PID {pid:#x} has {what}, which is not read");
                            self.shared.left_out.push(LeftOut {
                                track,
                                codec,
                                reason,
                            });
                        }
                        continue;
                    };
                    let track = codec.map(|codec| (free_id(codec.kind(), &mut taken), codec));
                    let key = (entry.stream.stream_type, entry.opus_channels);
                    let mut stream = Stream::new(pid, track, key, reader);
                    stream.breaks = self.breaks;
                    stream
                }
            };
            if let Some((id, codec)) = stream.track {
                let left_out = left_out_before.iter().find(|left| left.track == id);
                if let Some(left_out) = left_out.filter(|_| known.is_some()) {
                    self.shared.left_out.push(left_out.clone());
                    streams.push(stream);
                    continue;
                }
                let known = self
                    .shared
                    .tracks
                    .get(id)
                    .filter(|t| known.is_some() && t.codec == codec);
                tracks.push(known.cloned().unwrap_or_else(|| {
                    Arc::new(Track {
                        id,
                        codec,
                        timescale: Timescale::NINETY_KHZ,
                        config: Err(Unconfigured::Missing),
                        flv_body: None,
                    })
                }));
            }
            streams.push(stream);
        }
        for stream in &mut before {
            stream.flush(offset, &mut self.shared);
        }
        self.streams = streams;
        self.assign_pids();
        let tracks = TrackList::new(tracks);
        let same = tracks.len() == self.shared.tracks.len()
            && tracks
                .iter()
                .zip(self.shared.tracks.iter())
                .all(|(a, b)| a.id == b.id && a.same_configuration(b));
        if !same {
            self.shared.tracks = Arc::new(tracks);
            let tracks = Arc::clone(&self.shared.tracks);
            self.shared.events.push_back(Event::Tracks(tracks));
        }
    }
}

/// How to read a stream, and its codec when it is a track; `None`: not at all.
fn reader(entry: &tables::MapStream) -> Option<(NewReader, Option<Codec>)> {
    Some(match entry.stream.content {
        Content::Media(codec @ (Codec::H264 | Codec::H265)) => {
            let hevc = codec == Codec::H265;
            (NewReader::Video { hevc }, Some(codec))
        }
        Content::Media(codec) => {
            let framer = Framer::new(codec, entry.opus_channels)?;
            (NewReader::Audio(framer), Some(codec))
        }
        Content::Latm => {
            let framer = Framer::Latm(Box::<Latm>::default());
            (NewReader::Audio(framer), Some(Codec::Aac))
        }
        Content::Id3 => (NewReader::Id3, None),
        Content::Scte35 => (NewReader::Scte35, None),
        Content::Other | Content::Encrypted => return None,
    })
}

/// The lowest free track number of a kind: even for video, odd for audio.
fn free_id(kind: TrackKind, taken: &mut Vec<TrackId>) -> TrackId {
    let first = u16::from(kind == TrackKind::Audio);
    let ids = (first..u16::MAX).step_by(2).map(TrackId);
    let id = ids
        .into_iter()
        .find(|id| !taken.contains(id))
        .unwrap_or(TrackId(u16::MAX));
    taken.push(id);
    id
}
