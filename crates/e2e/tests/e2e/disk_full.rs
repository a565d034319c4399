//! A disk that is full, for real.

use crate::record::{complaints, frames, manifest, server_in, video_frames};
use e2e::disk::SmallDisk;
use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing};
use e2e::media::testdata;
use e2e::server::Server;
use e2e::wait::{secs, until};
use serde_json::Value;

fn recording(server: &Server) -> Option<Value> {
    let stream = server.stream("live/cam")?;
    stream["recordings"].as_array()?.first().cloned()
}

#[test]
fn a_full_disk_stops_the_recording_and_nothing_else_and_space_lets_it_go_on() {
    let Some(disk) = SmallDisk::mount("2m") else {
        return;
    };
    let dir = disk.outside();
    // Room for some three seconds.
    let filler = dir.join("filler");
    std::fs::write(&filler, vec![0; 1_700_000]).unwrap();
    let formats = ["mp4", "flv"];
    let rule = format!("formats = {formats:?}");
    let mut server = server_in(disk.wrapper(), disk.inside(), &rule);
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let mut viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let loops = ["-re", "-stream_loop", "3"];
    let mut publisher = ffmpeg::publish_with(Version::V5, &loops, &file, &[], &url);
    let full = until("the recording is suspended", secs(30), || {
        recording(&server).filter(|one| one["state"] == "suspended")
    });
    let reason = full["reason"].as_str().unwrap();
    assert!(reason.contains("disk full"), "{reason}");
    server.wait_for_log("it goes on when space is free", secs(5));
    let first = dir.join("live/cam-0.mp4");
    assert!(
        video_frames(&ffmpeg::file_frames(
            Version::V5,
            &first,
            Framing::Native,
            false
        )) > 20
    );

    std::fs::remove_file(&filler).unwrap();
    until("the recording goes on", secs(30), || {
        recording(&server).filter(|one| one["state"] == "recording")
    });
    until("two seconds more", secs(30), || {
        let size = std::fs::metadata(dir.join("live/cam-1.flv")).ok()?.len();
        (size > 150_000).then_some(())
    });
    // The viewer has every frame, from before, while and after.
    viewer.wait_for_frames(&source, 200, secs(30));
    publisher.kill();
    server.process().signal("TERM");
    server.process_mut().wait(secs(30));
    for format in formats {
        for index in [0, 1] {
            let name = format!("live/cam-{index}");
            let path = dir.join(format!("{name}.{format}"));
            assert_eq!(complaints(Version::V5, &path), "", "{}", path.display());
            let manifest = manifest(&path);
            let got = frames(&dir, &name, format);
            assert_eq!(manifest["recovered"], false);
            let causes: Vec<_> = manifest["gaps"].as_array().unwrap().iter().collect();
            match index {
                0 => {
                    assert_eq!(causes.len(), 0, "{causes:?}");
                    let what = path.display().to_string();
                    source.assert_received(&what, &got, Coverage::Part(20));
                }
                _ => {
                    assert_eq!(causes.len(), 1, "{causes:?}");
                    assert_eq!(causes[0]["cause"], "disk");
                    assert!(video_frames(&got) >= 40, "{}", video_frames(&got));
                }
            }
        }
    }
}
