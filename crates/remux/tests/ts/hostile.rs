//! Damage and malice: never a panic, the sound part is read, and what is lost is told with its place.

use bytes::Bytes;
use remux::ts::{Demuxer, Limits, NotTs};

use crate::files::{self, Told, demux, demux_in};
use crate::round_trip::mux;

fn clip(name: &str) -> Bytes {
    mux(&files::flv(&files::testdata(name))).0.freeze()
}

/// A generator of numbers that need no quality (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Every unit of `part` is one of the whole file's, in order.
fn assert_part(whole: &Told, part: &Told, name: &str) {
    for track in whole.tracks.iter() {
        let mut rest = whole.of(track.id);
        for unit in part.of(track.id) {
            let found = rest.any(|known| known.payload == unit.payload && known.dts == unit.dts);
            assert!(found, "{name}: {unit:?} is not in the whole file");
        }
    }
}

/// The last unit of a PES packet without length may be short: nothing tells where it should end.
fn without_last_picture(mut told: Told) -> Told {
    if let Some(at) = told.units.iter().rposition(|unit| unit.track.0 == 0) {
        told.units.remove(at);
    }
    told
}

#[test]
fn truncation_at_each_packet_gives_the_units_before_it() {
    let bytes = clip("h264-mp3.flv");
    let whole = demux(&bytes);
    let mut last = 0;
    for end in (0..bytes.len()).step_by(188 * 5) {
        let part = without_last_picture(demux(&bytes.slice(..end)));
        assert_part(&whole, &part, &format!("{end} bytes"));
        assert!(part.units.len() + 1 >= last, "{end} bytes");
        last = part.units.len();
    }
    assert!(last > 150);
}

#[test]
fn truncation_within_packets_costs_the_unit_and_says_so() {
    let bytes = clip("h264-opus.flv");
    let whole = demux(&bytes);
    let mut random = Random(0x5eed);
    for _ in 0..200 {
        let end = random.below(bytes.len());
        let part = without_last_picture(demux(&bytes.slice(..end)));
        assert_part(&whole, &part, &format!("{end} bytes"));
        if !end.is_multiple_of(188) && end > 188 * 3 {
            let damage = part.damage.last().unwrap();
            assert_eq!(damage.bytes.end, end as u64);
        }
    }
}

#[test]
fn lost_packets_cost_their_unit_and_no_other() {
    let bytes = clip("bframes.flv");
    let whole = demux(&bytes);
    let packets = bytes.len() / 188;
    let mut random = Random(77);
    for _ in 0..60 {
        let lost = 3 + random.below(packets - 3);
        let pid = |n: usize| u16::from_be_bytes([bytes[n * 188 + 1] & 0x1f, bytes[n * 188 + 2]]);
        if !(0x100..0x1000).contains(&pid(lost)) || bytes[lost * 188 + 3] & 0x10 == 0 {
            continue;
        }
        let part = [&bytes[..lost * 188], &bytes[(lost + 1) * 188..]].concat();
        let part = demux(&part.into());
        assert_part(&whole, &part, &format!("without packet {lost}"));
        // The loss is seen at the next packet of the PID; at the very end nothing follows.
        let is_last = (lost + 1..packets).all(|n| pid(n) != pid(lost));
        // A first packet that is lost joins two pictures, and a last one shortens its own.
        assert!(
            whole.units.len() - part.units.len() <= 2,
            "without packet {lost}"
        );
        if !is_last {
            assert_eq!(
                part.damage.len(),
                1,
                "without packet {lost}: {:?}",
                part.damage
            );
            let place = &part.damage[0].bytes;
            assert!(place.start <= lost as u64 * 188 && place.end >= lost as u64 * 188);
            assert!(
                part.damage[0].what.contains("are lost"),
                "{:?}",
                part.damage
            );
            let track = pid(lost) - 0x100;
            assert_eq!(part.damage[0].track.map(|id| id.0), Some(track));
        }
    }
}

#[test]
fn repeated_packets_change_nothing() {
    let bytes = clip("h264-ac3.flv");
    let want = demux(&bytes);
    let mut twice = Vec::new();
    for packet in bytes.chunks(188) {
        twice.extend_from_slice(packet);
        // One with a PCR alone repeats a counter itself.
        if packet[3] & 0x10 != 0 {
            twice.extend_from_slice(packet);
        }
    }
    let got = demux(&twice.into());
    assert_eq!(got.damage, []);
    let payloads = |told: &Told| {
        told.units
            .iter()
            .map(|u| (u.dts, u.payload.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(payloads(&got), payloads(&want));
}

#[test]
fn garbage_between_packets_is_passed_over_and_told() {
    let bytes = clip("audio-only.flv");
    let want = demux(&bytes);
    let at = 188 * 60;
    let mut random = Random(3);
    let mut garbage: Vec<u8> = (0..1_000).map(|_| random.below(256) as u8).collect();
    garbage[500] = 0x47;
    let broken: Bytes = [&bytes[..at], &garbage, &bytes[at..]].concat().into();
    let got = demux(&broken);
    assert_eq!(got.units.len(), want.units.len());
    assert_eq!(got.damage.len(), 1);
    assert_eq!(got.damage[0].bytes, at as u64..at as u64 + 1_000);
    for step in [1, 100, 1_000] {
        assert_eq!(demux_in(&broken, std::iter::repeat(step)).log, got.log);
    }
}

/// 192 bytes with a time code before each packet, 204 with parity behind it.
#[test]
fn other_packet_sizes_are_found() {
    let bytes = clip("h264-opus.flv");
    let want = demux(&bytes);
    for (before, behind) in [(4, 0), (0, 16)] {
        let mut padded = Vec::new();
        for (n, packet) in bytes.chunks(188).enumerate() {
            // Sync bytes among the others now and then.
            let padding = if n % 3 == 0 { 0x47 } else { n as u8 };
            padded.extend(std::iter::repeat_n(padding, before));
            padded.extend_from_slice(packet);
            padded.extend(std::iter::repeat_n(padding, behind));
        }
        let padded: Bytes = padded.into();
        let got = demux(&padded);
        assert_eq!(got.log, want.log);
        assert_eq!(demux_in(&padded, std::iter::repeat(191)).log, want.log);
    }
}

#[test]
fn other_files_are_refused() {
    for bytes in [
        files::read(&files::testdata("demo.flv")),
        vec![0; 4_000].into(),
    ] {
        let mut demuxer = Demuxer::default();
        let len = bytes.len() as u64;
        demuxer.push(bytes);
        let mut result = demuxer.poll();
        if matches!(result, Ok(None)) {
            demuxer.finish();
            result = demuxer.poll();
        }
        let error = result.unwrap_err();
        assert!(error.searched <= len && error.searched > 0);
        assert_eq!(demuxer.poll().unwrap_err(), error);
        let NotTs { searched } = error;
        assert_eq!(
            error.to_string(),
            format!(
                "not MPEG-TS: no packets of 188, 192 or 204 bytes in the first {searched} bytes"
            )
        );
    }
    assert!(demux(&Bytes::new()).log.is_empty());
}

#[test]
fn unit_without_an_end_is_bounded() {
    let bytes = clip("video-only.flv");
    let mut demuxer = Demuxer::new(Limits {
        unit_bytes: 2_000,
        ..Limits::default()
    });
    demuxer.push(bytes);
    let mut told = Told::default();
    while let Some(event) = demuxer.poll().unwrap() {
        told.event(event);
    }
    assert!(told.units.iter().all(|unit| unit.payload.len() <= 2_000));
    let long = told
        .damage
        .iter()
        .filter(|damage| damage.what.contains("more than 2000 bytes"));
    assert!(long.count() > 0);
    assert!(!told.units.is_empty());
}

#[test]
fn flipped_bytes_never_panic_and_any_split_agrees() {
    let bytes = clip("h264-eac3.flv");
    let mut random = Random(0xdead_beef);
    for round in 0..150 {
        let mut broken = bytes.slice(..bytes.len().min(400 * 188)).to_vec();
        for _ in 0..=round {
            let at = random.below(broken.len());
            broken[at] = random.below(256) as u8;
        }
        let broken: Bytes = broken.into();
        let want = demux(&broken);
        for damage in &want.damage {
            assert!(damage.bytes.end <= broken.len() as u64, "{damage:?}");
        }
        let step = 1 + random.below(3_000);
        assert_eq!(
            demux_in(&broken, std::iter::repeat(step)).log,
            want.log,
            "{round} by {step}"
        );
    }
}

#[test]
fn hostile_files_are_read_to_their_end() {
    let Some(folder) = files::shared("badinput") else {
        return;
    };
    let mut count = 0;
    for kind in std::fs::read_dir(folder).unwrap() {
        let kind = kind.unwrap().path();
        if !kind.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(kind).unwrap() {
            let path = file.unwrap().path();
            if !path.is_file() {
                continue;
            }
            let bytes = files::read(&path);
            let want = demux(&bytes);
            for step in [1, 189] {
                let got = demux_in(&bytes, std::iter::repeat(step)).log;
                assert_eq!(got, want.log, "{} by {step}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} files");
}
