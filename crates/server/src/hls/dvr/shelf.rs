//! What is kept of one stream.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hls::shift::{
    Answer, Ask, BlockId, Found, Index, Kept, KeptKey, Live, Missing, Past, Progress, Replayed,
};
use hls::{Container, Text, WallTime};
use media::StreamName;

/// One stream's segments on the disk.
pub(crate) struct Shelf {
    pub(super) name: StreamName,
    folder: PathBuf,
    window: Duration,
    lanes: Vec<Lane>,
    /// Segments that were not stored, since this process began.
    lost: AtomicU64,
}

/// One container of it.
struct Lane {
    container: Container,
    // Guards the index: taken by the writer for each segment and by requests for a playlist, which take
    // less than a millisecond when texts have to be rendered. Never held over input or output.
    index: Mutex<Index>,
}

/// What the API says of a shelf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShelfState {
    pub(crate) window: Duration,
    pub(crate) span: Option<(WallTime, WallTime)>,
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    /// Segments listed as gaps.
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
}

impl Shelf {
    pub(super) fn new(
        name: &StreamName,
        root: &Path,
        containers: &[Container],
        window: Duration,
    ) -> Self {
        let lane = |container: &Container| Lane {
            container: *container,
            index: Mutex::new(Index::new(*container, name.stream(), window)),
        };
        Self {
            name: name.clone(),
            folder: root.join(name.as_str()),
            window,
            lanes: containers.iter().map(lane).collect(),
            lost: AtomicU64::new(0),
        }
    }

    /// Takes what an earlier process kept.
    pub(super) fn adopt(&self, container: Container, blocks: Vec<Replayed>, now: WallTime) {
        if let Some(mut index) = self.index(container) {
            index.adopt(blocks, now);
        }
    }

    /// The playlist that was asked for; `None` when this container is not kept.
    pub(crate) fn playlist(
        &self,
        container: Container,
        ask: Ask,
        live: Live,
        skip: bool,
        now: WallTime,
    ) -> Option<Result<Arc<Answer>, Missing>> {
        Some(self.index(container)?.playlist(ask, live, skip, now))
    }

    /// The multivariant playlist over the same.
    pub(crate) fn multivariant(
        &self,
        container: Container,
        ask: Ask,
    ) -> Option<Result<Text, Missing>> {
        Some(self.index(container)?.multivariant(ask))
    }

    /// What the multivariant playlist over the same says, for that of a ladder.
    pub(crate) fn past(&self, container: Container, ask: Ask) -> Option<Result<Past, Missing>> {
        Some(self.index(container)?.past(ask))
    }

    /// Where the segment or init segment of this name is stored.
    pub(super) fn find(&self, file: &str) -> Option<(PathBuf, Found)> {
        let mut lanes = self.lanes.iter();
        lanes.find_map(|lane| {
            let found = lane.lock().find(file)?;
            Some((self.media_path(lane.container, found.block), found))
        })
    }

    /// The key of this name, while a segment that is kept needs it.
    pub(crate) fn key(&self, file: &str) -> Option<KeptKey> {
        let mut lanes = self.lanes.iter();
        lanes.find_map(|lane| lane.lock().key(file))
    }

    /// Where the stream's next run goes on.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let lanes = self.lanes.iter().filter_map(|lane| lane.lock().progress());
        lanes.reduce(|a, b| Progress {
            epoch: a.epoch.max(b.epoch),
            sequence: a.sequence.max(b.sequence),
            discontinuity_sequence: a.discontinuity_sequence.max(b.discontinuity_sequence),
            target: a.target.max(b.target),
            ends: a.ends.max(b.ends),
        })
    }

    pub(crate) fn state(&self) -> ShelfState {
        let kept: Vec<Kept> = self.lanes.iter().map(|lane| lane.lock().kept()).collect();
        let sum = |of: fn(&Kept) -> u64| kept.iter().map(of).sum();
        ShelfState {
            window: self.window,
            span: kept.iter().find_map(|kept| kept.span),
            bytes: sum(|kept| kept.bytes),
            segments: sum(|kept| kept.segments),
            gaps: sum(|kept| kept.gaps),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    #[cfg(test)]
    pub(crate) fn renders(&self) -> u64 {
        self.lanes
            .iter()
            .map(|lane| lane.lock().kept().renders)
            .sum()
    }

    /// Whether nothing is left, listed or not.
    pub(super) fn is_empty(&self) -> bool {
        self.progress().is_none()
    }

    /// Whether something can be played.
    pub(crate) fn has_media(&self) -> bool {
        let mut lanes = self.lanes.iter();
        lanes.any(|lane| lane.lock().kept().span.is_some())
    }

    /// Takes out what is too old; gives what is to be removed.
    pub(super) fn expire(&self, now: WallTime) -> Vec<(Container, BlockId)> {
        let lanes = self.lanes.iter();
        lanes
            .flat_map(|lane| {
                let gone = lane.lock().expire(now);
                gone.into_iter().map(|block| (lane.container, block))
            })
            .collect()
    }

    /// Counts a segment that could not be stored.
    pub(super) fn lose(&self) -> u64 {
        self.lost.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn index(&self, container: Container) -> Option<MutexGuard<'_, Index>> {
        let mut lanes = self.lanes.iter();
        lanes
            .find(|lane| lane.container == container)
            .map(Lane::lock)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn media_path(&self, container: Container, block: BlockId) -> PathBuf {
        self.folder.join(file_name(container, block, "media"))
    }

    pub(super) fn log_path(&self, container: Container, block: BlockId) -> PathBuf {
        self.folder.join(file_name(container, block, "log"))
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_name(container: Container, block: BlockId, extension: &str) -> String {
    let word = match container {
        Container::Fmp4 => "fmp4",
        Container::Ts => "ts",
    };
    let BlockId { epoch, sequence } = block;
    format!("{word}-{epoch:x}-{sequence}.{extension}")
}
