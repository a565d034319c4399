//! A storage in memory that fails, fills up or blocks when told to.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use bytes::Bytes;

use super::{Entry, EntryKind, Storage, StoredFile, folder_of};

/// What a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// Clones share the files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Node>>>,
    folders: BTreeSet<String>,
    /// Operations so far.
    count: u64,
    plan: Plan,
    capacity: Option<u64>,
    blocked: bool,
    blind: bool,
    lockless: bool,
}

#[derive(Debug, Default)]
struct Node {
    content: Vec<u8>,
    locked: bool,
}

/// What fails: operations that change something are counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    #[default]
    Nothing,
    /// This one.
    Once(u64),
    /// This one and all that follow: the disk is gone, as in a crash.
    From(u64),
}

impl Faulty {
    pub(crate) fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// Operations so far that change something.
    pub(crate) fn count(&self) -> u64 {
        self.state().count
    }

    /// Most bytes that all files may have.
    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Lets every operation wait that changes something, or lets them go on.
    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.state().blocked = blocked;
        self.inner.changed.notify_all();
    }

    /// Lets every look into a folder wait, or lets them go on.
    pub(crate) fn set_blind(&self, blind: bool) {
        self.state().blind = blind;
        self.inner.changed.notify_all();
    }

    /// Locks are given to everybody, as on some network file systems.
    pub(crate) fn set_lockless(&self) {
        self.state().lockless = true;
    }

    /// All paths.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub(crate) fn content(&self, path: &str) -> Vec<u8> {
        let node = self.state().files.get(path).map(Arc::clone);
        let node = node.unwrap_or_else(|| panic!("{path} is not there: {:?}", self.paths()));
        let node = node.lock().unwrap();
        node.content.clone()
    }

    /// A file that somebody else puts there.
    pub(crate) fn put(&self, path: &str, content: &[u8]) {
        let mut file = self.create(path).unwrap();
        let content = Bytes::copy_from_slice(content);
        file.write_at(0, &[content]).unwrap();
    }

    /// Takes a file away.
    pub(crate) fn take(&self, path: &str) {
        self.remove(path).unwrap();
    }

    fn used(&self) -> u64 {
        let state = self.state();
        let nodes = state.files.values();
        nodes.map(|n| n.lock().unwrap().content.len() as u64).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap()
    }

    /// Before an operation that changes something.
    fn act(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        while state.blocked {
            state = self.inner.changed.wait(state).unwrap();
        }
        let index = state.count;
        state.count += 1;
        let fails = match state.plan {
            Plan::Nothing => false,
            Plan::Once(n) => index == n,
            Plan::From(n) => index >= n,
        };
        match fails {
            true => Err(io::Error::other("injected")),
            false => Ok(state),
        }
    }
}

impl Storage for Faulty {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let mut state = self.act()?;
        if state.files.contains_key(path) || state.folders.contains(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut folder = folder_of(path);
        while !folder.is_empty() {
            if state.files.contains_key(folder) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            state.folders.insert(folder.to_owned());
            folder = folder_of(folder);
        }
        let node = Arc::<Mutex<Node>>::default();
        state.files.insert(path.to_owned(), Arc::clone(&node));
        Ok(Box::new(Handle::new(self, node)))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let state = self.state();
        let node = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Handle::new(self, Arc::clone(node))))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.act()?;
        let node = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.act()?;
        if state.files.remove(path).is_some() {
            return Ok(());
        }
        let below = format!("{path}/");
        if state.files.keys().any(|file| file.starts_with(&below)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        match state.folders.remove(path) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        while state.blind {
            state = self.inner.changed.wait(state).unwrap();
        }
        let entry = |path: &String, kind| {
            (folder_of(path) == folder).then(|| Entry {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                kind,
            })
        };
        let files = state.files.keys();
        let files = files.filter_map(|path| entry(path, EntryKind::File));
        let folders = state.folders.iter();
        let folders = folders.filter_map(|path| entry(path, EntryKind::Folder));
        Ok(files.chain(folders).collect())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let capacity = self.state().capacity;
        Ok(capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used())))
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        self.act().map(drop)
    }
}

struct Handle {
    storage: Faulty,
    node: Arc<Mutex<Node>>,
    has_lock: Mutex<bool>,
}

impl Handle {
    fn new(storage: &Faulty, node: Arc<Mutex<Node>>) -> Self {
        Self {
            storage: storage.clone(),
            node,
            has_lock: Mutex::new(false),
        }
    }
}

impl StoredFile for Handle {
    fn write_at(&mut self, at: u64, pieces: &[Bytes]) -> io::Result<()> {
        let acted = self.storage.act().map(drop);
        let room = self.storage.free_bytes()?;
        let all = pieces.concat();
        let mut node = self.node.lock().unwrap();
        let at = usize::try_from(at).unwrap();
        let grows = (at + all.len()).saturating_sub(node.content.len());
        // What fails is half done.
        let (count, result) = match acted {
            // Less than a sector is there or not.
            Err(error) if all.len() < SECTOR => (0, Err(error)),
            Err(error) => (all.len() / 2, Err(error)),
            Ok(()) if grows as u64 > room => (
                usize::try_from(room).unwrap(),
                Err(io::ErrorKind::StorageFull.into()),
            ),
            Ok(()) => (all.len(), Ok(())),
        };
        if node.content.len() < at + count {
            node.content.resize(at + count, 0);
        }
        node.content[at..at + count].copy_from_slice(&all[..count]);
        result
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let node = self.node.lock().unwrap();
        let at = usize::try_from(at).unwrap().min(node.content.len());
        let count = buffer.len().min(node.content.len() - at);
        buffer[..count].copy_from_slice(&node.content[at..at + count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.node.lock().unwrap().content.len() as u64)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.storage.act().map(drop)?;
        let size = usize::try_from(size).unwrap();
        self.node.lock().unwrap().content.truncate(size);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.storage.act().map(drop)
    }

    fn lock(&self) -> io::Result<bool> {
        if self.storage.state().lockless {
            return Ok(true);
        }
        let mut node = self.node.lock().unwrap();
        if node.locked {
            return Ok(false);
        }
        node.locked = true;
        *self.has_lock.lock().unwrap() = true;
        Ok(true)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if *self.has_lock.lock().unwrap() {
            self.node.lock().unwrap().locked = false;
        }
    }
}
