//! Servers that mean harm: nothing grows, hangs or panics.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use hls_check::Options;
use support::origin::{Origin, Reply};
use support::tamper::bytes;
use support::{check, names};

fn options(seconds: u64) -> Options {
    let mut options = Options::default();
    options.time = Duration::from_secs(seconds);
    options
}

#[test]
fn spoilt_bytes_of_any_answer_end_in_findings() {
    for seed in 0..40_u64 {
        let mut origin = if seed % 2 == 0 {
            Origin::ts()
        } else {
            Origin::low_latency()
        };
        let mut state = seed + 1;
        let done = check(&mut origin, options(6), |_, reply| {
            reply.map(|mut reply| {
                bytes(&mut reply, |body| {
                    for _ in 0..1 + body.len() / 500 {
                        // xorshift64, the same at each run
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        if let Ok(len) = u64::try_from(body.len())
                            && len > 0
                        {
                            let at = usize::try_from(state % len).unwrap();
                            body[at] = u8::try_from(state >> 32 & 0xff).unwrap();
                        }
                    }
                });
                reply
            })
        });
        if let Err(why) = done {
            assert!(!why.is_empty());
        }
    }
}

#[test]
fn a_playlist_that_is_never_the_same_and_never_ends_is_left_in_time() {
    let mut count = 0_u64;
    let done = check(&mut Origin::low_latency(), options(10), |asked, reply| {
        let mut reply = reply.unwrap_or_else(|| Reply::status(200));
        if asked.is_media() {
            count += 1;
            reply.status = 200;
            let mut text = format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1\n\
                 #EXT-X-PART-INF:PART-TARGET=0.001\n#EXT-X-MEDIA-SEQUENCE:{}\n",
                count * 1_000_000
            );
            for number in 0..1_000 {
                text += &format!("#EXTINF:1,\nhttp://relay.example/{count}/{number}.ts\n");
            }
            reply.set_text(&text);
        }
        Some(reply)
    })
    .unwrap();
    assert!(done.totals.reloads < 250, "{:?}", done.totals);
    assert!(done.findings.len() < 40 && !names(&done).is_empty());
    assert!(done.totals.not_read > 0, "{:#?}", done);
}

#[test]
fn a_server_that_says_nothing_is_an_error_and_one_that_stops_is_not_waited_for() {
    let nothing = check(&mut Origin::ts(), options(5), |_, _| None);
    assert_eq!(nothing.unwrap_err(), "no answer within 10 s");
    let refused = check(&mut Origin::ts(), options(5), |_, _| {
        Some(Reply::status(403))
    });
    assert_eq!(refused.unwrap_err(), "the answer is 403");
    let html = check(&mut Origin::ts(), options(5), |_, reply| {
        reply.map(|mut reply| {
            reply.set_text("<!doctype html>");
            reply
        })
    });
    assert!(
        html.unwrap_err()
            .starts_with("not a playlist: it begins with \"<!doctype html>\"")
    );
    let stopped = check(&mut Origin::ts(), options(8), |asked, reply| {
        if asked.is_multivariant() { reply } else { None }
    });
    assert_eq!(names(&stopped.unwrap()), Vec::<&str>::new());
}
