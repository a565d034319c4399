//! Live HLS written to a storage: to an S3 server of others' making, which goes away in the middle
//! and comes back, and to memory, where the clock is ours.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hls::{Container, Presentation};
use media::StreamName;
use storage::{Kind, Location, Mirrors, Options, Settings, State, Status, Store};
use support::live::{Live, wanted};
use support::{BUCKET, S3};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

async fn until(mirrors: &Mirrors, live: &Live, what: impl Fn(&Status) -> bool) -> Status {
    let wait = async {
        loop {
            match mirrors.status(&live.name).pop() {
                Some((_, status)) if what(&status) => return status,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let status = tokio::time::timeout(PATIENCE, wait).await;
    status.unwrap_or_else(|_| panic!("{:?}", mirrors.status(&live.name)))
}

fn is_in_sync(status: &Status) -> bool {
    status.state == State::InSync && status.behind.is_zero()
}

/// Reads the playlist in the bucket and all that it names, again and again, as a player would.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
    looks: Arc<AtomicU64>,
}

impl Reader {
    fn start(folder: PathBuf) -> Self {
        let (stop, looks) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, looked) = (Arc::clone(&stop), Arc::clone(&looks));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(text) = std::fs::read_to_string(folder.join("fmp4.m3u8")) {
                    check(&folder, &text);
                    looked.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            stop,
            thread,
            looks,
        }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.looks.load(Ordering::Relaxed)
    }
}

fn check(folder: &Path, playlist: &str) {
    assert!(
        !playlist.contains("#EXT-X-PART") && !playlist.contains("BLOCK"),
        "{playlist}"
    );
    for line in playlist.lines() {
        let name = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
            Some(uri) => uri.trim_end_matches('"'),
            None if line.starts_with('#') => continue,
            None => line,
        };
        let there = std::fs::metadata(folder.join(name));
        assert!(
            there.is_ok_and(|file| file.len() > 0),
            "{name} is missing:\n{playlist}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_goes_away_and_comes_back_holds_what_is_live() {
    let mut s3 = S3::start().await;
    let mirrors = Mirrors::start(s3.store(&format!("s3://{BUCKET}/pre")), Settings::default());
    let folder = s3.bucket().join("pre/live/cam1");
    let reader = Reader::start(folder.clone());
    let mut live = Live::new(0xa1, 100);
    let mut newest = None;
    let name = live.name.clone();
    let mut show = |presentation: &Arc<Presentation>| {
        mirrors.offer(&name, presentation);
        newest = Some(Arc::clone(presentation));
    };
    for _ in 0..6 {
        live.seconds(1, &mut show);
        // As slow as a storage that keeps up: nothing is skipped.
        until(&mirrors, &live, |status| status.behind.is_zero()).await;
    }
    let status = until(&mirrors, &live, is_in_sync).await;
    assert_eq!(
        (status.skipped, status.failures, status.last_error),
        (0, 0, None)
    );

    s3.stop().await;
    live.seconds(12, &mut show);
    let status = until(&mirrors, &live, |status| status.failures >= 2).await;
    assert_eq!(status.state, State::Failing);
    let (kind, reason) = status.last_error.unwrap();
    assert_eq!((kind, &*reason), (Kind::Unreachable, "connection refused"));
    live.seconds(3, &mut show);

    s3.start_again();
    let status = until(&mirrors, &live, is_in_sync).await;
    assert!((8..=15).contains(&status.skipped), "{status:?}");
    let (text, names) = wanted(newest.as_ref().unwrap());
    assert_eq!(std::fs::read(folder.join("fmp4.m3u8")).unwrap(), text);
    for name in &names {
        let resource = newest.as_ref().unwrap().resource(name).unwrap();
        assert_eq!(
            std::fs::read(folder.join(name)).unwrap(),
            resource.body.joined()
        );
    }
    let multivariant = std::fs::read_to_string(s3.bucket().join("pre/live/cam1.m3u8")).unwrap();
    assert!(
        multivariant.ends_with("\ncam1/fmp4.m3u8\n"),
        "{multivariant}"
    );

    let ended = live.finish();
    mirrors.offer(&live.name, &ended);
    assert!(mirrors.drain(PATIENCE).await);
    let text = std::fs::read_to_string(folder.join("fmp4.m3u8")).unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    until(&mirrors, &live, |status| status.state == State::Ended).await;
    mirrors.stop().await;
    assert!(reader.end() > 10);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert!(left.iter().all(|entry| {
        !entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".ts")
    }));
}

#[tokio::test]
async fn objects_have_their_types_and_what_caches_may_do_with_them() {
    use object_store::{Attribute, ObjectStoreExt as _};
    let memory = Arc::new(object_store::memory::InMemory::new());
    let store = Store::with(
        Arc::<object_store::memory::InMemory>::clone(&memory),
        "memory:",
        true,
    );
    let mut settings = Settings::default();
    settings.containers = Container::ALL.to_vec();
    let mirrors = Mirrors::start(store, settings);
    let mut live = Live::new(0xa1, 7);
    live.seconds(3, |presentation| {
        mirrors.offer(&StreamName::parse("live", "cam1").unwrap(), presentation)
    });
    until(&mirrors, &live, is_in_sync).await;
    assert!(mirrors.drain(PATIENCE).await);
    let playlist = ("application/vnd.apple.mpegurl", "no-cache");
    let forever = "public, max-age=31536000, immutable";
    for (name, (kind, cache)) in [
        ("live/cam1.m3u8", playlist),
        ("live/cam1.ts.m3u8", playlist),
        ("live/cam1/fmp4.m3u8", playlist),
        ("live/cam1/ts.m3u8", playlist),
        ("live/cam1/a1-init-1.mp4", ("audio/mp4", forever)),
        ("live/cam1/a1-7.m4s", ("audio/mp4", forever)),
        ("live/cam1/a1-7.ts", ("video/mp2t", forever)),
    ] {
        let got = memory.get(&name.into()).await.unwrap();
        let attribute = |which| got.attributes.get(&which).map(AsRef::as_ref);
        assert_eq!(attribute(Attribute::ContentType), Some(kind), "{name}");
        assert_eq!(attribute(Attribute::CacheControl), Some(cache), "{name}");
    }
    mirrors.stop().await;
}

async fn names(store: &Store) -> Vec<String> {
    let found = store.list("", 1_000).await.unwrap();
    let mut names: Vec<_> = found.into_iter().map(|found| found.name).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn what_left_the_playlist_and_what_an_earlier_process_left_goes_in_time() {
    let store = Store::open(&Location::Memory, &Options::default()).unwrap();
    let playlists = ["live/cam1.m3u8", "live/cam1/fmp4.m3u8"];
    let mut live = Live::new(0xa1, 100);
    let name = live.name.clone();

    // A process that is killed.
    let mirrors = Mirrors::start(store.clone(), Settings::default());
    live.seconds(9, |presentation| mirrors.offer(&name, presentation));
    until(&mirrors, &live, is_in_sync).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut wanted: Vec<_> = playlists.map(str::to_owned).into();
    let media = |name: String| format!("live/cam1/{name}");
    let first: Vec<_> = {
        let mut newest = None;
        live.seconds(1, |presentation| newest = Some(Arc::clone(presentation)));
        mirrors.offer(&name, newest.as_ref().unwrap());
        until(&mirrors, &live, is_in_sync).await;
        support::live::wanted(&newest.unwrap()).1
    };
    tokio::time::sleep(Duration::from_secs(60)).await;
    wanted.extend(first.iter().cloned().map(media));
    wanted.sort();
    assert_eq!(names(&store).await, wanted, "only what the playlist names");
    mirrors.stop().await;

    // The next one of the same stream: the old goes ten minutes later.
    let mirrors = Mirrors::start(store.clone(), Settings::default());
    let mut live = Live::new(0xb2, 200);
    let mut newest = None;
    live.seconds(9, |presentation| newest = Some(Arc::clone(presentation)));
    mirrors.offer(&name, newest.as_ref().unwrap());
    until(&mirrors, &live, is_in_sync).await;
    assert!(
        wanted.iter().all(|name| store_has(&store, name)),
        "old media stay for their readers"
    );
    tokio::time::sleep(Duration::from_secs(599)).await;
    let mut wanted: Vec<_> = playlists.map(str::to_owned).into();
    wanted.extend(
        support::live::wanted(&newest.unwrap())
            .1
            .into_iter()
            .map(media),
    );
    wanted.sort();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(names(&store).await, wanted);
    mirrors.stop().await;
}

fn store_has(store: &Store, name: &str) -> bool {
    futures_util::FutureExt::now_or_never(store.get(name)).is_some_and(|got| got.is_ok())
}

#[tokio::test]
async fn wrong_credentials_and_missing_buckets_are_told_and_tried_again() {
    let s3 = S3::start().await;
    let mut live = Live::new(0xa1, 1);
    for (url, secret, kind) in [
        (BUCKET, "not-the-secret", Kind::Credentials),
        ("no-such-bucket", support::SECRET, Kind::NoBucket),
    ] {
        let mut options = s3.options();
        options.credentials = Some(storage::Credentials::new(support::KEY_ID, secret));
        let store = Store::open(&format!("s3://{url}").parse().unwrap(), &options).unwrap();
        let mirrors = Mirrors::start(store, Settings::default());
        let name = live.name.clone();
        live.seconds(3, |presentation| mirrors.offer(&name, presentation));
        let status = until(&mirrors, &live, |status| status.failures > 1).await;
        assert_eq!(status.state, State::Failing);
        let (found, reason) = status.last_error.unwrap();
        assert_eq!(found, kind, "{reason}");
        assert!(
            !reason.contains(secret) && !reason.contains(support::KEY_ID),
            "{reason}"
        );
        assert!(!mirrors.drain(Duration::from_millis(1)).await);
        mirrors.stop().await;
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(
        &Location::Folder(folder.path().to_owned()),
        &Options::default(),
    )
    .unwrap();
    // Where the stream's folder has to be there is a file.
    std::fs::create_dir(folder.path().join("live")).unwrap();
    std::fs::write(folder.path().join("live/cam1"), "in the way").unwrap();
    let mirrors = Mirrors::start(store, Settings::default());
    let mut live = Live::new(0xa1, 1);
    let name = live.name.clone();
    live.seconds(3, |presentation| mirrors.offer(&name, presentation));
    let status = until(&mirrors, &live, |status| status.failures > 1).await;
    assert_eq!(status.state, State::Failing, "{status:?}");
    std::fs::remove_file(folder.path().join("live/cam1")).unwrap();
    until(&mirrors, &live, is_in_sync).await;
    mirrors.stop().await;
}
