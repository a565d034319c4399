//! Every FLV file of the shared test media, published as it is and read back.

use e2e::flv::{self, Tag};
use e2e::frames::{Coverage, Media};
use e2e::media;
use e2e::rtmp::{Client, Pace, push_tags};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::secs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a file's way through the relay differs from "every tag, unchanged", and why.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// Every media tag arrives with its bytes; all timestamps keep their distances.
    Equal,
    /// As `Equal`, without the tags that are too short to be media.
    WithoutShortTags,
    /// The clock jumps: bytes and order are equal, the received clock never runs backwards by a jump.
    BytesOnly,
    /// Only the default track of a multitrack publisher is served; it is compared in bytes of its frames elsewhere.
    DefaultTrack,
}

fn expected(name: &str) -> Expect {
    match name {
        "short-tags" => Expect::WithoutShortTags,
        "ts-jump-back-to-0" => Expect::BytesOnly,
        "multitrack-2v-2a-ertmp" => Expect::DefaultTrack,
        _ => Expect::Equal,
    }
}

#[test]
fn every_shared_flv_file_is_published_raw_and_read_back() {
    let Some(shared) = media::shared() else {
        return;
    };
    let mut files = Vec::new();
    for folder in ["flv", "flv-edge", "flv-ffmpeg", "flv-remux"] {
        files.extend(media::files(&shared.join(folder), "flv"));
    }
    assert!(files.len() >= 40, "{} files", files.len());
    let mut server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nalways = true\n"));
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = relay(&server, file) {
                        let name = file.file_name().unwrap().to_string_lossy();
                        failures.lock().unwrap().push(format!("{name}: {error}"));
                    }
                }
            });
        }
    });
    server.assert_alive();
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {} files:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

/// Publishes one file four times faster than real time to a player that waits for it; compares.
fn relay(server: &Server, file: &Path) -> Result<(), String> {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let tags = flv::read_file(file);
    let mut player =
        Client::play(&server.rtmp, "corpus", &name).map_err(|e| format!("play: {e:?}"))?;
    player.socket().set_read_timeout(Some(secs(10))).unwrap();
    let reader = std::thread::spawn(move || {
        let mut received = Vec::new();
        while let Ok(message) = player.receive() {
            if matches!(message.kind, 8 | 9 | 18) {
                received.push(Tag {
                    kind: message.kind,
                    timestamp_ms: message.timestamp_ms,
                    body: message.payload,
                });
            }
        }
        received
    });
    let published = Client::publish(&server.rtmp, "corpus", &name)
        .map_err(|error| format!("publish: {error:?}"))
        .and_then(|mut client| {
            push_tags(&mut client, &tags, Pace::Times(4.0)).map_err(|e| format!("push: {e}"))?;
            client
                .unpublish(&name)
                .map_err(|e| format!("unpublish: {e}"))
        });
    let received = reader.join().map_err(|_| "the player failed".to_owned())?;
    published?;
    compare(expected(&name), &tags, &received)
}

fn compare(expect: Expect, sent: &[Tag], received: &[Tag]) -> Result<(), String> {
    let received_media = flv::media(received);
    match expect {
        Expect::Equal => whole(&flv::media(sent), &received_media),
        Expect::WithoutShortTags => {
            let long: Vec<Tag> = sent
                .iter()
                .filter(|tag| tag.body.len() > if tag.kind == 9 { 5 } else { 2 })
                .cloned()
                .collect();
            whole(&flv::media(&long), &received_media)
        }
        Expect::BytesOnly => {
            let bodies = |media: &Media| -> Vec<Vec<String>> {
                let tracks = media.tracks.iter();
                tracks
                    .map(|t| t.frames.iter().map(|f| f.md5.clone()).collect())
                    .collect()
            };
            if bodies(&flv::media(sent)) != bodies(&received_media) {
                return Err("bytes differ".to_owned());
            }
            for track in &received_media.tracks {
                let back = track
                    .frames
                    .windows(2)
                    .find(|pair| pair[1].dts < pair[0].dts);
                if let Some(pair) = back {
                    return Err(format!("the clock runs backwards: {pair:?}"));
                }
            }
            Ok(())
        }
        Expect::DefaultTrack => {
            let has = |kind| {
                received_media
                    .track(kind, 0)
                    .is_some_and(|t| t.frames.len() > 50)
            };
            if has(e2e::frames::Kind::Video) && has(e2e::frames::Kind::Audio) {
                Ok(())
            } else {
                Err(format!("{} frames", received_media.frame_count()))
            }
        }
    }
}

fn whole(sent: &Media, received: &Media) -> Result<(), String> {
    sent.compare(received, Coverage::Whole).map(|_| ())
}
