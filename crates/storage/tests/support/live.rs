//! A live stream without a network: sound in segments of one second.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hls::{Container, Presentation, Segmenter, WallTime};
use media::{
    AccessUnit, Codec, CodecConfig, Dts, StreamName, Timescale, Track, TrackId, TrackList,
};

/// Frames of 20 ms.
const FRAME_MS: i64 = 20;

pub struct Live {
    pub name: StreamName,
    segmenter: Segmenter,
    frames: i64,
}

impl Live {
    /// A run of its own, in parts; `first` is the number of its first segment.
    pub fn new(epoch: u64, first: u64) -> Self {
        let name = StreamName::parse("live", "cam1").unwrap();
        let mut config = hls::Config::new(&name, epoch);
        config.segment = Duration::from_secs(1);
        config.segments = 4;
        config.part = Some(Duration::from_millis(333));
        config.first_media_sequence = first;
        let mut segmenter = Segmenter::new(config);
        for container in Container::ALL {
            segmenter.enable(container);
        }
        // AAC-LC, 48 kHz, stereo.
        let config = CodecConfig::parse(Codec::Aac, &[0x11, 0x90]).unwrap();
        let track = Arc::new(Track::new(TrackId(0), Timescale::MILLIS, config));
        segmenter.tracks(&Arc::new(TrackList::new(vec![track])));
        Self {
            name,
            segmenter,
            frames: 0,
        }
    }

    /// So many seconds more; every snapshot that viewers would get is given to `show`.
    pub fn seconds(&mut self, seconds: i64, mut show: impl FnMut(&Arc<Presentation>)) {
        for _ in 0..seconds * 1_000 / FRAME_MS {
            let dts = self.frames * FRAME_MS;
            self.frames += 1;
            let payload = Bytes::from(dts.to_be_bytes().repeat(20));
            let unit = AccessUnit::new(TrackId(0), Dts(dts), payload).random_access();
            self.segmenter
                .unit(&unit, WallTime(1_795_203_000_000 + dts));
            if let Some(presentation) = self.segmenter.changed() {
                show(&presentation);
            }
        }
    }

    pub fn finish(&mut self) -> Arc<Presentation> {
        self.segmenter.finish();
        self.segmenter.changed().unwrap()
    }
}

/// What the playlist in the storage must say for this snapshot, and the names of what it names.
pub fn wanted(presentation: &Presentation) -> (Bytes, Vec<String>) {
    let classic = presentation.classic(Container::Fmp4).unwrap();
    let names = classic.names.into_iter().map(|named| named.name).collect();
    (classic.text.body, names)
}
