//! Faults planted in a server that has none: each is found, by its check and by no other.
#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hls_check::{Options, rule};
use support::origin::{Origin, Reply};
use support::tamper::{
    attribute, bytes, find, last, number, packets, replace, segments, set_times, times, without,
};
use support::{Asked, check, names};

/// A fault, and how long it takes to be found.
struct Fault {
    origin: Origin,
    seconds: u64,
    media: bool,
    /// Changes a reply that is due; may hold it (`None`) or answer what is held.
    spoil: Box<dyn FnMut(&Asked, Option<Reply>) -> Option<Reply>>,
}

/// A fault in replies that are due.
fn fault(
    origin: Origin,
    seconds: u64,
    mut spoil: impl FnMut(&Asked, &mut Reply) + 'static,
) -> Fault {
    holding(origin, seconds, move |asked, reply| {
        reply.map(|mut reply| {
            spoil(asked, &mut reply);
            reply
        })
    })
}

/// A fault that also decides when to reply.
fn holding(
    origin: Origin,
    seconds: u64,
    spoil: impl FnMut(&Asked, Option<Reply>) -> Option<Reply> + 'static,
) -> Fault {
    Fault {
        origin,
        seconds,
        media: true,
        spoil: Box::new(spoil),
    }
}

impl Fault {
    fn of_text(mut self) -> Self {
        self.media = false;
        self
    }

    /// Fails unless these checks, and no others, find something.
    #[track_caller]
    fn found_by(mut self, checks: &[&str]) {
        let mut options = Options::default();
        options.time = Duration::from_secs(self.seconds);
        options.media = self.media;
        let done = check(&mut self.origin, options, self.spoil).unwrap();
        assert_eq!(
            names(&done),
            checks,
            "{:#?}\n{:?}",
            done.findings,
            done.totals
        );
        for finding in &done.findings {
            assert!(finding.seen.url.contains("relay.example"), "{finding:?}");
            assert!(
                rule::ALL
                    .iter()
                    .any(|known| std::ptr::eq(*known, finding.check))
            );
        }
    }
}

/// A media playlist with all that is in it.
fn is_whole_playlist(asked: &Asked, reply: Option<&Reply>) -> bool {
    let is_plain = |reply: &Reply| reply.status == 200 && reply.get("content-encoding").is_none();
    asked.is_media() && !asked.query().contains("_HLS_skip") && reply.is_some_and(is_plain)
}

/// A fault in what media playlists say.
fn in_media(origin: Origin, spoil: impl Fn(&mut Reply) + 'static) -> Fault {
    fault(origin, 20, move |asked, reply| {
        if asked.is_media()
            && reply.status == 200
            && !reply.body.is_empty()
            && reply.get("content-encoding").is_none()
        {
            spoil(reply);
        }
    })
}

/// A fault in what the multivariant playlist says.
fn in_multivariant(spoil: impl Fn(&mut Reply) + 'static) -> Fault {
    fault(Origin::ts(), 30, move |asked, reply| {
        if asked.is_multivariant() {
            spoil(reply);
        }
    })
}

/// A fault in TS segments.
fn in_segments(spoil: impl Fn(&mut Reply) + 'static) -> Fault {
    in_bodies(Origin::ts(), spoil)
}

/// A fault in segments, the same in ranges of them.
fn in_bodies(origin: Origin, spoil: impl Fn(&mut Reply) + 'static) -> Fault {
    let mut whole: BTreeMap<String, Bytes> = BTreeMap::new();
    fault(origin, 20, move |asked, reply| {
        let is_segment = number(asked.path()).is_some();
        if is_segment && reply.status == 200 {
            spoil(reply);
            whole.insert(asked.path().to_owned(), reply.body.clone());
        } else if asked
            .request
            .headers
            .contains(&("range", "bytes=0-99".to_owned()))
            && reply.status == 206
        {
            let body = &whole[asked.path()];
            reply.body = body.slice(..100.min(body.len()));
            let range = format!("bytes 0-{}/{}", reply.body.len() - 1, body.len());
            reply.set("content-range", &range);
        } else if reply.status == 206 {
            reply.status = 416;
        }
    })
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for origin in [
        Origin::ts(),
        Origin::fmp4(),
        Origin::low_latency(),
        Origin::ts_that_wraps(10),
        Origin::ts().jumps(8, 100_000),
        Origin::ts().changes(8),
        Origin::fmp4().changes(8),
        Origin::low_latency().changes(8),
        Origin::ts().ends(12),
        Origin::low_latency().ends(12),
    ] {
        let mut found = fault(origin, 45, |_, _| {});
        found.seconds = 45;
        found.found_by(&[]);
    }
}

#[test]
fn h1_durations() {
    in_media(Origin::ts(), |reply| {
        replace(reply, "DURATION:4", "DURATION:1")
    })
    .found_by(&["extinf-over-target"]);
    fault(Origin::ts(), 20, |asked, reply| {
        if asked.is_media() && asked.after(10) {
            replace(reply, "DURATION:4", "DURATION:3");
        }
    })
    .found_by(&["target-changed"]);
    in_media(Origin::ts(), |reply| without(reply, "#EXT-X-TARGET")).found_by(&["target-missing"]);
    in_media(Origin::ts(), |reply| {
        replace(reply, "EXTINF:2,", "EXTINF:2.3,")
    })
    .found_by(&["extinf-untrue"]);
    in_media(Origin::ts(), |reply| {
        without(reply, "#EXT-X-PROGRAM");
        segments(reply, |number, block| {
            block.retain(|line| number != 28 || !line.starts_with("#EXTINF"))
        });
    })
    .of_text()
    .found_by(&["extinf-missing"]);
}

#[test]
fn h2_changes() {
    in_media(Origin::ts(), |reply| {
        replace(reply, "#EXTINF", "#EXT-X-BYTERANGE:x\n#EXTINF")
    })
    .found_by(&["line-malformed"]);
    fault(Origin::ts(), 20, |asked, reply| {
        if asked.is_media() && asked.after(8) {
            replace(reply, ".ts", ".ts?again");
        }
    })
    .found_by(&["segment-changed"]);
    let mut cut = 0;
    fault(Origin::ts(), 20, move |asked, reply| {
        if asked.is_media() && asked.after(8) && cut < 1 {
            cut += 1;
            let text = reply.text();
            let kept: Vec<&str> = text.lines().collect();
            reply.set_text(&kept[..kept.len() - 9].join("\n"));
        }
    })
    .found_by(&["end-removed"]);
    let mut ended = 0;
    fault(Origin::ts().ends(6), 30, move |asked, reply| {
        if is_whole_playlist(asked, Some(reply)) && reply.text().contains("ENDLIST") {
            ended += 1;
            if ended > 1 {
                without(reply, "#EXT-X-ENDLIST");
            }
        }
    })
    .found_by(&["changed-after-end"]);
    let mut frozen: Option<Reply> = None;
    fault(Origin::ts(), 30, move |asked, reply| {
        if asked.is_media() && asked.after(6) && reply.get("content-encoding").is_none() {
            *reply = frozen.get_or_insert_with(|| reply.clone()).clone();
        }
    })
    .found_by(&["stalled"]);
}

#[test]
fn h3_what_is_listed_and_what_was() {
    fault(Origin::ts(), 20, |asked, reply| {
        if number(asked.path()).is_some_and(|number| number.is_multiple_of(4)) {
            *reply = Reply::status(404);
        }
    })
    .found_by(&["listed-not-served"]);
    let mut listed = String::new();
    fault(Origin::ts(), 20, move |asked, reply| {
        if asked.is_media() && reply.get("content-encoding").is_none() {
            listed = reply.text();
        } else if number(asked.path()).is_some()
            && !listed.contains(asked.path().rsplit('/').next().unwrap())
        {
            *reply = Reply::status(404);
        }
    })
    .found_by(&["removed-not-served"]);
}

#[test]
fn h4_length() {
    in_media(Origin::ts(), |reply| last(reply, 4))
        .of_text()
        .found_by(&["too-short"]);
}

#[test]
fn h5_missing_discontinuities() {
    let strip = |reply: &mut Reply| without(reply, "#EXT-X-DISCONTINUITY");
    in_media(Origin::ts().changes(8), strip).found_by(&["codec-changed"]);
    in_media(Origin::ts().jumps(8, 100_000), move |reply| {
        strip(reply);
        without(reply, "#EXT-X-PROGRAM");
    })
    .found_by(&["time-jumped"]);
    let mut lost = in_media(Origin::ts().jumps(2, 100_000), |reply| {
        without(reply, "#EXT-X-DISCONTINUITY-SEQUENCE")
    });
    lost.seconds = 30;
    lost.found_by(&["discontinuity-sequence"]);
}

/// A DISCONTINUITY before each so-many-eth segment, counted as it should be.
fn discontinuities(reply: &mut Reply, is_before: impl Fn(u64) -> bool) {
    let mut first = None;
    segments(reply, |number, block| {
        first.get_or_insert(number);
        if is_before(number) {
            block.insert(0, "#EXT-X-DISCONTINUITY".to_owned());
        }
    });
    let first = first.unwrap();
    let left = (0..first).filter(|&number| is_before(number)).count();
    let line = format!("#EXT-X-MEDIA-SEQUENCE:{first}\n");
    replace(
        reply,
        &line,
        &format!("{line}#EXT-X-DISCONTINUITY-SEQUENCE:{left}\n"),
    );
}

#[test]
fn h6_needless_discontinuities() {
    let every_fourth =
        |reply: &mut Reply| discontinuities(reply, |number| number.is_multiple_of(4));
    in_media(Origin::ts(), every_fourth).found_by(&["needless-discontinuity"]);
    in_media(Origin::fmp4(), every_fourth).found_by(&["needless-discontinuity"]);
}

#[test]
fn h7_wraps() {
    // The segment that begins behind the wrap: 25 of 2 s were there, and 5 more came.
    in_media(Origin::ts_that_wraps(10), |reply| {
        discontinuities(reply, |number| number == 30)
    })
    .found_by(&["wrap-discontinuity"]);
    in_segments(|reply| {
        packets(reply, |_, _, packet| {
            if let Some((at, pts, dts)) = times(packet) {
                set_times(at, pts + 20 * 90_000, dts);
            }
        });
    })
    .found_by(&["wrap-torn"]);
}

#[test]
fn h8_what_validators_measure() {
    in_segments(|reply| {
        let mut pictures = 0;
        packets(reply, |_, _, packet| {
            if let Some((at, pts, dts)) = times(packet) {
                pictures += 1;
                if pictures == 10 {
                    set_times(at, pts - 90_000 / 2, dts - 90_000 / 2);
                }
            }
        });
    })
    .found_by(&["times-decrease"]);
    in_multivariant(|reply| attribute(reply, "BANDWIDTH", "1000"))
        .found_by(&["bandwidth-exceeded"]);
    fault(Origin::ts(), 10, |asked, reply| {
        if asked.is_playlist() {
            reply.set("content-type", "text/plain");
        }
    })
    .found_by(&["playlist-mime-type"]);
    in_segments(|reply| reply.set("content-type", "application/octet-stream"))
        .found_by(&["segment-mime-type"]);
    fault(Origin::ts(), 20, |asked, reply| {
        if asked.is_media() && asked.after(8) {
            replace(reply, "#EXT-X-VERSION:3", "#EXT-X-VERSION:4");
        }
    })
    .found_by(&["tag-changed"]);
}

#[test]
fn h9_transport_streams() {
    in_segments(|reply| {
        bytes(reply, |body| {
            let media = body[2 * 188..3 * 188].to_vec();
            body.splice(0..0, media);
        });
    })
    .found_by(&["tables-missing"]);
    // The first packet of each segment counts on from nowhere.
    in_segments(|reply| {
        packets(reply, |_, pid, packet| {
            if pid == 0 {
                packet[3] = packet[3] & 0xf0 | 3;
            }
        });
    })
    .found_by(&["continuity"]);
    let no_key = |reply: &mut Reply| {
        bytes(reply, |body| {
            let starts: Vec<usize> = (0..body.len() - 4)
                .filter(|&at| body[at..at + 4] == [0, 0, 1, 0x65])
                .collect();
            starts.into_iter().for_each(|at| body[at + 3] = 0x41);
        });
    };
    in_segments(no_key).found_by(&["not-independent"]);
    let mut dependent = in_segments(no_key);
    let mut spoil = dependent.spoil;
    dependent.spoil = Box::new(move |asked, reply| {
        let mut reply = spoil(asked, reply)?;
        if asked.is_media() && reply.get("content-encoding").is_none() {
            without(&mut reply, "#EXT-X-INDEPENDENT");
        }
        Some(reply)
    });
    dependent.found_by(&["no-key-frame"]);
    in_segments(|reply| reply.set_text(&"<html>not here</html>".repeat(9)))
        .found_by(&["segment-damaged"]);
}

#[test]
fn h10_fragments() {
    in_media(Origin::fmp4(), |reply| without(reply, "#EXT-X-MAP"))
        .of_text()
        .found_by(&["map-missing"]);
    in_media(Origin::fmp4().changes(8), |reply| {
        without(reply, "#EXT-X-DISCONTINUITY")
    })
    .found_by(&["map-changed"]);
    fault(Origin::fmp4(), 10, |asked, reply| {
        if asked.path().contains("init") && reply.status == 200 {
            bytes(reply, |body| body[4..8].copy_from_slice(b"free"));
        }
    })
    .found_by(&["init-wrong"]);
    let in_fragments =
        |spoil: fn(&mut Vec<u8>)| in_bodies(Origin::fmp4(), move |reply| bytes(reply, spoil));
    in_fragments(|body| {
        for at in find(body, b"tfdt") {
            body[at + 4..at + 8].copy_from_slice(b"free");
        }
    })
    .found_by(&["tfdt-missing"]);
    in_fragments(|body| {
        // Of the first track, whose data lie where they would without it.
        let at = find(body, b"tfhd")[0];
        body[at + 9] &= !0x02;
    })
    .found_by(&["base-not-moof"]);
    fault(Origin::fmp4(), 20, |asked, reply| {
        let is_spoilt = number(asked.path()).is_some_and(|number| number.is_multiple_of(4));
        if is_spoilt && reply.status == 200 && !reply.body.is_empty() {
            // Version 1: the upper half of 64 bits; and 2^20 ticks of 90 kHz are 11.7 s.
            bytes(reply, |body| {
                find(body, b"tfdt")
                    .into_iter()
                    .for_each(|at| body[at + 17] ^= 0x10)
            });
        }
    })
    .found_by(&["tfdt-jumped"]);
}

#[test]
fn h11_dates() {
    let shifted = |by: &'static str| {
        move |reply: &mut Reply| {
            segments(reply, |number, block| {
                for line in block
                    .iter_mut()
                    .filter(|line| number >= 28 && line.starts_with("#EXT-X-PROGRAM"))
                {
                    *line = line.replacen("2026-11-20T19:", by, 1);
                }
            });
        }
    };
    in_media(Origin::ts(), shifted("2026-11-20T18:")).found_by(&["date-back"]);
    in_media(Origin::ts(), shifted("2026-11-20T20:")).found_by(&["date-untrue"]);
}

#[test]
fn h12_what_variants_say() {
    in_multivariant(|reply| replace(reply, ":BANDWIDTH", ":X-BANDWIDTH"))
        .found_by(&["bandwidth-missing"]);
    in_multivariant(|reply| replace(reply, "CODECS", "X-CODECS")).found_by(&["codecs-missing"]);
    for wrong in [
        "\"avc1.640028,mp4a.40.2\"",
        "\"avc1.42c01e\"",
        "\"avc1.42c01e,mp4a.40.2,ac-3\"",
        "\"avc1.42c01d,mp4a.40.2\"",
    ] {
        in_multivariant(move |reply| attribute(reply, "CODECS", wrong))
            .found_by(&["codecs-untrue"]);
    }
    for right in ["\"avc1.42C01E,mp4a.40.2\"", "\"avc1.42c028,mp4a.40.5\""] {
        in_multivariant(move |reply| attribute(reply, "CODECS", right)).found_by(&[]);
    }
    in_multivariant(|reply| in_group(reply, "")).found_by(&["group-unknown"]);
    in_multivariant(|reply| in_group(reply, &member("a", "other"))).found_by(&["group-unknown"]);
    in_multivariant(|reply| in_group(reply, &member("a", "sound"))).found_by(&[]);
    let two = |a, b| member(a, "sound") + &member(b, "sound");
    in_multivariant(move |reply| in_group(reply, &two("a", "a"))).found_by(&["group-alike"]);
    in_multivariant(move |reply| in_group(reply, &two("a", "b"))).found_by(&[]);
    let both = two("a", "b").replace("NAME=", "DEFAULT=YES,NAME=");
    in_multivariant(move |reply| in_group(reply, &both)).found_by(&["group-alike"]);
    let never = member("a", "sound").replace("NAME=", "DEFAULT=YES,AUTOSELECT=NO,NAME=");
    in_multivariant(move |reply| in_group(reply, &never)).found_by(&["line-malformed"]);
    // A playlist of its own is watched, too, and costs what it costs in addition.
    let beside = "URI=\"demo/ts.m3u8?sound\",NAME=";
    let beside = member("a", "sound").replace("NAME=", beside);
    in_multivariant(move |reply| in_group(reply, &beside)).found_by(&["bandwidth-exceeded"]);
    in_multivariant(|reply| replace(reply, "RESOLUTION", "X-RESOLUTION"))
        .found_by(&["resolution-missing"]);
    in_multivariant(|reply| attribute(reply, "RESOLUTION", "1280x720"))
        .found_by(&["resolution-untrue"]);
    in_multivariant(|reply| attribute(reply, "FRAME-RATE", "20"))
        .found_by(&["frame-rate-exceeded"]);
    in_multivariant(|reply| attribute(reply, "FRAME-RATE", "50")).found_by(&["frame-rate-untrue"]);
    in_multivariant(|reply| attribute(reply, "AVERAGE-BANDWIDTH", "1000"))
        .found_by(&["average-bandwidth-exceeded"]);
    in_multivariant(|reply| attribute(reply, "CODECS", "\"hev1.1.6.L93.B0,mp4a.40.2\""))
        .of_text()
        .found_by(&["hev1"]);
}

/// A member of a group of sounds that is in the variant's own media.
fn member(name: &str, group: &str) -> String {
    format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\"\n")
}

/// The variant's sound is the group's.
fn in_group(reply: &mut Reply, members: &str) {
    replace(reply, "CODECS", "AUDIO=\"sound\",CODECS");
    replace(
        reply,
        "#EXT-X-STREAM-INF",
        &format!("{members}#EXT-X-STREAM-INF"),
    );
}

#[test]
fn h13_parts() {
    let ll = Origin::low_latency;
    in_media(ll(), |reply| attribute(reply, "PART-TARGET", "0.2")).found_by(&["part-too-long"]);
    in_media(ll(), |reply| {
        attribute(reply, "PART-TARGET", "0.4");
        attribute(reply, "PART-HOLD-BACK", "1.2");
    })
    .found_by(&["part-too-short"]);
    in_media(ll(), |reply| without(reply, "#EXT-X-PART-INF")).found_by(&["part-inf-missing"]);
    in_media(ll(), |reply| {
        replace(reply, "PART-HOLD-BACK", "X-HOLD-BACK")
    })
    .found_by(&["part-hold-back-missing"]);
    in_media(ll(), |reply| attribute(reply, "PART-HOLD-BACK", "0.5"))
        .found_by(&["part-hold-back-short"]);
    in_media(ll(), |reply| attribute(reply, "PART-HOLD-BACK", "0.7"))
        .found_by(&["part-hold-back-low"]);
    in_media(ll(), |reply| replace(reply, ",INDEPENDENT=YES", ""))
        .found_by(&["independent-missing"]);
    in_media(ll(), |reply| {
        replace(reply, ",INDEPENDENT=YES", "");
        replace(reply, "#EXT-X-PART:", "#EXT-X-PART:INDEPENDENT=YES,");
    })
    .found_by(&["independent-untrue"]);
    in_media(ll(), |reply| without(reply, "#EXT-X-PRELOAD-HINT"))
        .found_by(&["preload-hint-missing"]);
    in_media(ll(), |reply| replace(reply, "#EXTINF:2,", "#EXTINF:2.04,"))
        .of_text()
        .found_by(&["parts-sum"]);
    fault(ll(), 20, |asked, reply| {
        // A whole segment has no second dash in its name.
        let name = asked.path().rsplit('/').next().unwrap().to_owned();
        if name.ends_with(".m4s")
            && name.matches(['-', '.']).count() == 2
            && reply.body.len() > 200
            && !asked.has("range")
        {
            bytes(reply, |body| *body.last_mut().unwrap() ^= 1);
        }
    })
    .found_by(&["parts-differ"]);
    // What is not there yet is not waited for.
    holding(ll(), 20, |asked, reply| {
        match (reply, asked.is_playlist()) {
            (None, false) => Some(Reply::status(404)),
            (reply, _) => reply,
        }
    })
    .found_by(&["preload-hint-untrue"]);
    fault(ll(), 10, |asked, reply| {
        if asked.is_multivariant() {
            let text = reply.text();
            let lines: Vec<&str> = text.lines().collect();
            let again: Vec<String> = lines[lines.len() - 2..]
                .iter()
                .map(|line| line.replace("demo/", "other/"))
                .collect();
            reply.set_text(&format!("{text}{}\n", again.join("\n")));
        }
    })
    .found_by(&["rendition-report-missing"]);
}

#[test]
fn h14_waiting() {
    let ll = Origin::low_latency;
    let ok_for = |what: &'static str| {
        let mut known: Option<Reply> = None;
        holding(ll(), 15, move |asked, reply| {
            if asked.is_media() && asked.query().is_empty() && reply.is_some() {
                known.clone_from(&reply);
            }
            if asked.query().starts_with(what) {
                known.clone()
            } else {
                reply
            }
        })
    };
    ok_for("_HLS_part").found_by(&["part-without-msn"]);
    fault(ll(), 15, |asked, reply| {
        if reply.status == 400 && asked.query().starts_with("_HLS_msn") {
            *reply = Reply::status(503);
        }
    })
    .found_by(&["far-ahead-not-refused"]);
    holding(ll(), 15, |asked, reply| match reply {
        // Far ahead, and held for ever.
        Some(reply) if reply.status == 400 && asked.query().starts_with("_HLS_msn") => None,
        reply => reply,
    })
    .found_by(&["far-ahead-not-refused"]);
    holding(ll(), 60, |asked, reply| {
        let is_waiting = asked.query().contains("_HLS_msn")
            && asked.after(10)
            && reply.as_ref().is_none_or(|r| r.status == 200);
        if is_waiting { None } else { reply }
    })
    .found_by(&["held-too-long"]);
    holding(ll(), 15, |asked, reply| match reply {
        None if asked.is_playlist() => Some(Reply::status(400)),
        reply => reply,
    })
    .found_by(&["part-beyond-segment", "next-refused"]);
    let mut newest: Option<Reply> = None;
    holding(ll(), 15, move |asked, reply| {
        if is_whole_playlist(asked, reply.as_ref()) {
            newest.clone_from(&reply);
        }
        let is_whole = asked.query().contains("_HLS_msn") && !asked.query().contains("_HLS_part");
        if is_whole && reply.is_none() {
            newest.clone()
        } else {
            reply
        }
    })
    .found_by(&["segment-not-held"]);
    let mut last_listed = u64::MAX;
    fault(ll(), 15, move |asked, reply| {
        if asked.is_media()
            && asked.query().is_empty()
            && reply.get("content-encoding").is_none()
            && !reply.body.is_empty()
        {
            segments(reply, |number, _| last_listed = number);
        }
        if asked
            .query()
            .starts_with(&format!("_HLS_msn={last_listed}&"))
        {
            *reply = Reply::status(400);
        }
    })
    .found_by(&["part-beyond-segment"]);
}

#[test]
fn h15_what_blocks_says_so() {
    let mut newest: Option<Reply> = None;
    holding(Origin::low_latency(), 15, move |asked, reply| {
        if is_whole_playlist(asked, reply.as_ref()) {
            newest.clone_from(&reply);
        }
        if asked.is_media() && reply.is_none() {
            newest.clone()
        } else {
            reply
        }
    })
    .found_by(&["answered-early"]);
    in_media(Origin::low_latency(), |reply| {
        replace(reply, "CAN-BLOCK-RELOAD=YES,", "")
    })
    .found_by(&["no-blocking"]);
}

#[test]
fn h16_delta_updates() {
    let ll = Origin::low_latency;
    let in_deltas = |spoil: fn(&mut Reply)| {
        fault(ll(), 15, move |asked, reply| {
            if asked.query().contains("_HLS_skip") {
                assert!(reply.text().contains("#EXT-X-SKIP"), "nothing is skipped");
                spoil(reply);
            }
        })
    };
    in_deltas(|_| {}).found_by(&[]);
    in_deltas(|reply| replace(reply, "VERSION:9", "VERSION:6")).found_by(&["skip-version"]);
    in_deltas(|reply| replace(reply, ".m4s", ".m4s?x")).found_by(&["delta-differs"]);
    in_deltas(|reply| {
        let mut left = 4;
        segments(reply, |_, block| {
            if left > 0 {
                left -= 1;
                block.clear();
            }
        });
        let text = reply.text();
        let skip = text
            .split("SKIPPED-SEGMENTS=")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        let more = skip.parse::<u64>().unwrap() + 4;
        attribute(reply, "SKIPPED-SEGMENTS", &more.to_string());
    })
    .found_by(&["skipped-too-much"]);
    let mut whole: Option<Reply> = None;
    fault(ll(), 15, move |asked, reply| {
        if asked.is_media() && asked.query().is_empty() && reply.get("content-encoding").is_none() {
            whole = Some(reply.clone());
        } else if asked.query().contains("_HLS_skip") {
            *reply = whole.clone().unwrap();
        }
    })
    .found_by(&["skip-ignored"]);
    in_media(ll(), |reply| attribute(reply, "CAN-SKIP-UNTIL", "12"))
        .found_by(&["can-skip-until-short"]);
    in_media(Origin::ts(), |reply| {
        let mut left = 2;
        segments(reply, |_, block| {
            if left > 0 {
                left -= 1;
                block.clear();
            }
        });
        replace(
            reply,
            "#EXT-X-TARGETDURATION",
            "#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-TARGETDURATION",
        );
    })
    .found_by(&["skip-unasked"]);
}

#[test]
fn h16_delta_updates_without_date_ranges() {
    // Asked for by turns; at 10, 20 and 30 s without date ranges.
    let in_deltas = |skip: &'static str, spoil: fn(&mut Reply)| {
        let mut asked_for_it = false;
        fault(
            Origin::low_latency().with_cues(),
            36,
            move |asked, reply| {
                asked_for_it |= asked.query().contains("_HLS_skip=v2");
                assert!(asked_for_it || !asked.after(15), "v2 is offered");
                if asked.query().contains(skip) {
                    assert!(reply.text().contains("#EXT-X-SKIP"), "nothing is skipped");
                    spoil(reply);
                }
            },
        )
    };
    const REMOVED: &str = "RECENTLY-REMOVED-DATERANGES";
    in_deltas("_HLS_skip=v2", |reply| {
        assert!(reply.text().contains("-DATERANGES=\"6a1f-"), "removed ones");
        assert!(reply.text().contains("#EXT-X-DATERANGE:"), "new ones");
    })
    .found_by(&[]);
    in_deltas("_HLS_skip=YES", |reply| without(reply, "#EXT-X-DATERANGE"))
        .found_by(&["delta-ranges-differ"]);
    in_deltas("_HLS_skip=v2", |reply| without(reply, "#EXT-X-DATERANGE"))
        .found_by(&["delta-ranges-differ"]);
    in_deltas("_HLS_skip=v2", |reply| attribute(reply, REMOVED, "\"\""))
        .found_by(&["delta-ranges-differ"]);
    in_deltas("_HLS_skip=v2", |reply| {
        let spoiled = reply.text().replace(&format!(",{REMOVED}="), ",X=");
        reply.set_text(&spoiled);
    })
    .found_by(&["removed-ranges-unsaid"]);
    // One that was there 28 s before.
    let mut old = String::new();
    fault(
        Origin::low_latency().with_cues(),
        36,
        move |asked, reply| {
            if is_whole_playlist(asked, Some(reply)) && !asked.after(2) {
                let text = reply.text();
                let mut lines = text.lines().filter(|l| l.starts_with("#EXT-X-DATERANGE"));
                old = lines.next_back().unwrap().to_owned();
            } else if asked.query().contains("_HLS_skip=v2") && asked.after(28) {
                replace(reply, "#EXT-X-MAP", &format!("{old}\n#EXT-X-MAP"));
            }
        },
    )
    .found_by(&["delta-ranges-old"]);
}

#[test]
fn h17_how_it_is_served() {
    let playlists = |spoil: fn(&Asked, &mut Reply)| {
        fault(Origin::ts(), 12, move |asked, reply| {
            if asked.is_media() {
                spoil(asked, reply);
            }
        })
    };
    playlists(|_, reply| reply.set("cache-control", "max-age=60")).found_by(&["playlist-cache"]);
    playlists(|_, reply| reply.remove("cache-control")).found_by(&["playlist-cache"]);
    playlists(|_, reply| reply.set("cache-control", "public, max-age=2")).found_by(&[]);
    playlists(|_, reply| reply.remove("access-control-allow-origin")).found_by(&["cors"]);
    playlists(|asked, reply| {
        if asked.request.method == hls_check::Method::Head {
            *reply = Reply::status(405);
        }
    })
    .found_by(&["head"]);
    // Longer than a thousand bytes, and as it is.
    let mut plain: Option<Reply> = None;
    fault(Origin::low_latency(), 12, move |asked, reply| {
        if asked.is_media() && asked.query().is_empty() {
            match reply.get("content-encoding") {
                None => plain = Some(reply.clone()),
                Some(_) => *reply = plain.clone().unwrap(),
            }
        }
    })
    .found_by(&["gzip"]);
    playlists(|asked, reply| {
        if asked.has("accept-encoding") {
            bytes(reply, |body| body.truncate(body.len() / 2));
        }
    })
    .found_by(&["gzip-wrong"]);
    let mut http1 = fault(Origin::low_latency().over_tls(), 10, |_, _| {});
    http1.found_by(&["http2"]);
    http1 = fault(Origin::low_latency().over_tls(), 10, |_, _| {});
    http1.origin.is_http2 = true;
    http1.found_by(&[]);
}

#[test]
fn h17_how_segments_are_served() {
    let served = |spoil: fn(&Asked, &mut Reply)| {
        fault(Origin::ts(), 12, move |asked, reply| {
            if asked.is_segment() {
                spoil(asked, reply);
            }
        })
    };
    served(|_, reply| reply.set("cache-control", "no-store")).found_by(&["segment-cache"]);
    served(|_, reply| reply.remove("cache-control")).found_by(&["segment-cache"]);
    served(|asked, reply| {
        if asked.has("if-none-match") {
            reply.status = 200;
        }
    })
    .found_by(&["not-modified"]);
    served(|asked, reply| {
        if asked.has("range") && reply.status == 206 {
            reply.status = 200;
        }
    })
    .found_by(&["range"]);
    served(|_, reply| {
        if reply.status == 206 {
            bytes(reply, |body| body[0] ^= 1);
        }
    })
    .found_by(&["range-wrong"]);
    served(|_, reply| {
        if reply.status == 206 {
            reply.set("content-range", "bytes 0-99/*");
        }
    })
    .found_by(&["range-wrong"]);
    served(|_, reply| {
        if reply.status == 416 {
            reply.status = 206;
        }
    })
    .found_by(&["range-beyond"]);
    served(|asked, reply| {
        if asked.request.method == hls_check::Method::Head {
            reply.set("content-type", "text/plain");
        }
    })
    .found_by(&["head"]);
    served(|_, reply| {
        if reply.status == 404 {
            reply.remove("access-control-allow-origin");
        }
    })
    .found_by(&["cors-error"]);
    served(|_, reply| {
        if reply.status == 404 {
            reply.status = 200;
        }
    })
    .found_by(&["missing-status"]);
    let mut answers = 0;
    fault(Origin::ts(), 12, move |asked, reply| {
        if asked.is_segment() && reply.status == 200 {
            answers += 1;
            reply.set("etag", &format!("\"{answers}\""));
            if asked.has("if-none-match") {
                reply.status = 304;
            }
        }
    })
    .found_by(&["etag-changed"]);
    let mut seen = std::collections::BTreeSet::new();
    fault(Origin::ts(), 12, move |asked, reply| {
        let is_whole =
            asked.is_segment() && reply.status == 200 && asked.request.headers.is_empty();
        if is_whole
            && asked.request.method == hls_check::Method::Get
            && !seen.insert(asked.path().to_owned())
        {
            bytes(reply, |body| *body.last_mut().unwrap() ^= 1);
        }
    })
    .found_by(&["body-changed"]);
}

#[test]
fn h18_beginnings_and_ends() {
    fault(Origin::ts(), 20, |asked, reply| {
        if asked.is_media() && asked.after(8) {
            let text = reply.text();
            let first: u64 = text
                .split("SEQUENCE:")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .parse()
                .unwrap();
            replace(
                reply,
                &format!("SEQUENCE:{first}\n"),
                &format!("SEQUENCE:{}\n", first - 15),
            );
        }
    })
    .found_by(&["sequence-back"]);
    fault(Origin::ts(), 20, |asked, reply| {
        if asked.is_media() && asked.after(8) {
            *reply = Reply::status(404);
        }
    })
    .found_by(&["vanished"]);
}
