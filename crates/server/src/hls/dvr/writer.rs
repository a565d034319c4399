//! The thread that writes, and the bounded queue before it.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use hls::shift::{BlockId, Flags, Line, Said, Segment, Tracks};
use hls::{Complete, Container, DateRange};
use media::StreamName;

use super::block_file::BlockFile;
use super::shelf::Shelf;
use crate::config::DvrConfig;

/// Jobs that wait at most. Bounds, beside the bytes: the queue itself.
const JOBS: usize = 16_384;
/// One loss in so many is told, after the first.
const TOLD_EVERY: u64 = 100;

/// A segment to be stored.
pub(super) struct Store {
    pub(super) shelf: Arc<Shelf>,
    pub(super) container: Container,
    pub(super) epoch: u64,
    pub(super) target: Duration,
    pub(super) complete: Complete,
    /// The date ranges that came with it.
    pub(super) ranges: Vec<DateRange>,
}

enum Job {
    Store(Box<Store>),
    /// A segment for which the queue had no room: a gap.
    Lost(Box<Store>),
    Remove(Arc<Shelf>, Vec<(Container, BlockId)>),
    /// A run of this stream is over: its files are closed.
    Close(StreamName),
}

/// The way to the thread.
pub(super) struct Queue {
    jobs: SyncSender<Job>,
    /// Jobs given and not done, and bytes of segments in them.
    pending: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
    most_bytes: usize,
}

impl Queue {
    /// Starts the thread; it ends with this.
    pub(super) fn start(config: &DvrConfig) -> Self {
        let (jobs, work) = mpsc::sync_channel(JOBS);
        let queue = Self {
            jobs,
            pending: Arc::default(),
            bytes: Arc::default(),
            most_bytes: config.queue_bytes,
        };
        let writer = Writer {
            root: config.dir.clone(),
            min_free: config.min_free,
            pending: Arc::clone(&queue.pending),
            bytes: Arc::clone(&queue.bytes),
            open: HashMap::new(),
            failing: HashMap::new(),
        };
        let thread = std::thread::Builder::new().name("sidestream-dvr".to_owned());
        if let Err(error) = thread.spawn(move || writer.run(&work)) {
            tracing::error!(%error, "no thread for the dvr: nothing is kept");
        }
        queue
    }

    /// Hands a segment on; where the disk does not keep up, a gap in its place.
    pub(super) fn store(&self, mut store: Store) {
        let len = store.complete.body.len();
        let waiting = self.bytes.fetch_add(len, Ordering::AcqRel);
        if waiting + len <= self.most_bytes {
            self.give(Job::Store(Box::new(store)));
            return;
        }
        self.bytes.fetch_sub(len, Ordering::AcqRel);
        store.complete.body = bytes::Bytes::new().into();
        self.give(Job::Lost(Box::new(store)));
    }

    pub(super) fn remove(&self, shelf: Arc<Shelf>, blocks: Vec<(Container, BlockId)>) {
        self.give(Job::Remove(shelf, blocks));
    }

    pub(super) fn close(&self, name: StreamName) {
        self.give(Job::Close(name));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    fn give(&self, job: Job) {
        self.pending.fetch_add(1, Ordering::AcqRel);
        let Err(error) = self.jobs.try_send(job) else {
            return;
        };
        self.pending.fetch_sub(1, Ordering::AcqRel);
        match error {
            mpsc::TrySendError::Full(job) | mpsc::TrySendError::Disconnected(job) => match job {
                // The next one that is stored shows that something is missing.
                Job::Store(store) | Job::Lost(store) => {
                    let len = store.complete.body.len();
                    self.bytes.fetch_sub(len, Ordering::AcqRel);
                    store.shelf.lose();
                }
                // The next start finds them again, and removes them; the next run closes files.
                Job::Remove(..) | Job::Close(_) => {}
            },
        }
    }
}

struct Writer {
    root: PathBuf,
    min_free: u64,
    pending: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
    open: HashMap<(StreamName, Container), (BlockId, BlockFile)>,
    /// Losses in a row, by stream.
    failing: HashMap<StreamName, u64>,
}

impl Writer {
    fn run(mut self, work: &Receiver<Job>) {
        while let Ok(job) = work.recv() {
            match job {
                Job::Store(store) => {
                    let len = store.complete.body.len();
                    match self.store(&store) {
                        Ok(()) => self.stored(&store.shelf),
                        Err(error) => self.lost(&store, &error.to_string()),
                    }
                    self.bytes.fetch_sub(len, Ordering::AcqRel);
                }
                Job::Lost(store) => self.lost(&store, "the disk does not keep up"),
                Job::Remove(shelf, blocks) => self.remove(&shelf, &blocks),
                Job::Close(name) => self.open.retain(|(open, _), _| *open != name),
            }
            self.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Writes a segment, then lists it.
    fn store(&mut self, store: &Store) -> io::Result<()> {
        let Store {
            shelf, container, ..
        } = store;
        let complete = &store.complete;
        let len = u32::try_from(complete.body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        std::fs::create_dir_all(shelf.folder())?;
        self.check_space(len)?;
        let (_, mut file) = self.block(store, len)?;
        let stored = self.append(store, len, &mut file);
        let id = shelf.index(*container).and_then(|index| index.last_block());
        if let Some(id) = id {
            let key = (shelf.name.clone(), *container);
            self.open.insert(key, (id, file));
        }
        stored
    }

    fn append(&self, store: &Store, len: u32, file: &mut BlockFile) -> io::Result<()> {
        let complete = &store.complete;
        let tracks = self.tracks(store, file)?;
        let offset = file.media(&mut complete.body.pieces())?;
        let segment = self.segment(store, offset, len, false);
        if let Some(tracks) = tracks {
            file.line(&Line::Tracks(tracks.clone()))?;
            if let Some(mut index) = store.shelf.index(store.container) {
                index.tracks(tracks);
            }
        }
        let sealed = complete.sealed;
        let said = store.shelf.index(store.container);
        if said.and_then(|index| index.last_sealed()) != sealed {
            file.line(&Line::Key(sealed))?;
            if let Some(mut index) = store.shelf.index(store.container) {
                index.seal(sealed);
            }
        }
        say(store, file);
        file.line(&Line::Segment(segment))?;
        let index = store.shelf.index(store.container);
        match index.is_some_and(|mut index| index.push(segment)) {
            true => Ok(()),
            false => Err(io::Error::other("its block is gone")),
        }
    }

    /// The block that this segment belongs to, begun if need be.
    fn block(&mut self, store: &Store, len: u32) -> io::Result<(BlockId, BlockFile)> {
        let Store {
            shelf, container, ..
        } = store;
        let key = (shelf.name.clone(), *container);
        let open = self.open.remove(&key);
        let Some(index) = shelf.index(*container) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let fits = !index.needs_block(store.epoch, len.into());
        if let Some((id, file)) = open
            && fits
            && index.last_block() == Some(id)
        {
            return Ok((id, file));
        }
        let head = index.next_head(store.epoch, store.complete.sequence, store.target);
        drop(index);
        let media = shelf.media_path(*container, head.id());
        let log = shelf.log_path(*container, head.id());
        let mut file = BlockFile::create(&media, &log, &Line::Head(head))?;
        if let Some(mut index) = shelf.index(*container) {
            let lasting = index.lasting(store.epoch, store.complete.begins);
            index.begin(head);
            for said in lasting {
                if index.say(said.clone()) {
                    file.line_when_possible(&Line::Range(said));
                }
            }
        }
        Ok((head.id(), file))
    }

    /// What is to be said of the segment's tracks, when that is not said yet; its init segment is then in
    /// the file.
    fn tracks(&self, store: &Store, file: &mut BlockFile) -> io::Result<Option<Tracks>> {
        let complete = &store.complete;
        let version = complete.init.as_ref().map(|(version, _)| *version);
        let index = store.shelf.index(store.container);
        let known = index.is_some_and(|index| {
            index.last_tracks().is_some_and(|tracks| {
                tracks.init.map(|(version, _, _)| version) == version
                    && tracks.about == *complete.about
            })
        });
        if known {
            return Ok(None);
        }
        let init = match &complete.init {
            Some((version, body)) => {
                let offset = file.media(&mut std::iter::once(body))?;
                let len = u32::try_from(body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
                Some((*version, offset, len))
            }
            None => None,
        };
        Ok(Some(Tracks {
            init,
            about: (*complete.about).clone(),
        }))
    }

    fn segment(&self, store: &Store, offset: u32, len: u32, gap: bool) -> Segment {
        let complete = &store.complete;
        let index = store.shelf.index(store.container);
        let follows = index.is_none_or(|i| i.follows(store.epoch, complete.sequence));
        Segment {
            sequence: complete.sequence,
            wall_ms: complete.begins.0,
            duration_ms: u32::try_from(complete.duration_ms).unwrap_or(u32::MAX),
            offset,
            len,
            flags: Flags {
                discontinuity: complete.discontinuity || !follows,
                independent: complete.independent,
                gap,
            },
        }
    }

    fn check_space(&self, len: u32) -> io::Result<()> {
        let stat = rustix::fs::statvfs(&self.root)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < self.min_free.saturating_add(len.into()) {
            let (free, kept) = (free >> 20, self.min_free >> 20);
            let text = format!("disk full ({free} MiB free, {kept} MiB kept back)");
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    fn stored(&mut self, shelf: &Shelf) {
        if let Some(lost) = self.failing.remove(&shelf.name) {
            tracing::info!(stream = %shelf.name, lost, "dvr goes on");
        }
    }

    /// A gap takes the segment's place, where its run has a block.
    fn lost(&mut self, store: &Store, reason: &str) {
        let Store {
            shelf, container, ..
        } = store;
        shelf.lose();
        let row = self.failing.entry(shelf.name.clone()).or_insert(0);
        *row += 1;
        if *row == 1 || row.is_multiple_of(TOLD_EVERY) {
            tracing::warn!(
                stream = %shelf.name,
                reason,
                lost = *row,
                "dvr: a segment could not be stored, its place is a gap"
            );
        }
        let segment = self.segment(store, 0, 0, true);
        let id = shelf.index(*container).and_then(|i| i.last_block());
        let Some(id) = id.filter(|id| id.epoch == store.epoch) else {
            return;
        };
        let open = self.open.get_mut(&(shelf.name.clone(), *container));
        if let Some((_, file)) = open.filter(|(open, _)| *open == id) {
            say(store, file);
            let index = shelf.index(*container);
            if index.is_some_and(|mut index| index.push(segment)) {
                file.line_when_possible(&Line::Segment(segment));
            }
        } else if let Some(mut index) = shelf.index(*container) {
            index.push(segment);
        }
    }

    fn remove(&mut self, shelf: &Shelf, blocks: &[(Container, BlockId)]) {
        for (container, id) in blocks {
            let key = (shelf.name.clone(), *container);
            if self.open.get(&key).is_some_and(|(open, _)| open == id) {
                self.open.remove(&key);
            }
            // The log first: media without one is removed at the next start.
            let log = shelf.log_path(*container, *id);
            for path in [log, shelf.media_path(*container, *id)] {
                if let Err(error) = std::fs::remove_file(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(path = %path.display(), %error, "dvr: an old file stays");
                }
            }
        }
        // Folders that are empty now go; others stay by themselves.
        let folders = shelf.folder().ancestors();
        for folder in folders.take_while(|folder| **folder != *self.root) {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Tells of the date ranges that came with a segment, before it. What the disk does not take now it gets
/// before the next line.
fn say(store: &Store, file: &mut BlockFile) {
    for range in &store.ranges {
        let said = Said {
            range: range.clone(),
            carried: false,
        };
        let index = store.shelf.index(store.container);
        if index.is_some_and(|mut index| index.say(said.clone())) {
            file.line_when_possible(&Line::Range(said));
        }
    }
}
