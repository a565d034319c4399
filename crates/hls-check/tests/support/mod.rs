//! A server that exists in a test only, on a clock of its own, and the loop that lets a checker look at it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part"
)]

pub mod origin;
pub mod tamper;

use std::time::Duration;

use hls_check::{Checker, Done, Options, Outcome, Request, Step, Url};

pub use origin::{Origin, Reply};

/// How long an answer takes that is there at once.
const DELAY: Duration = Duration::from_millis(2);
/// How far the clock goes at once.
const TICK: Duration = Duration::from_millis(20);

/// Lets a checker look at an origin. The fault sees each request and its reply before it goes out.
///
/// # Panics
/// When the checker does not end.
pub fn check(
    origin: &mut Origin,
    options: Options,
    mut fault: impl FnMut(&Asked, Option<Reply>) -> Option<Reply>,
) -> Result<Done, String> {
    let url = Url::parse(&format!(
        "{}://relay.example/live/{}",
        origin.scheme,
        origin.entry()
    ))
    .unwrap();
    let end = options.time + Duration::from_secs(120);
    let mut checker = Checker::new(url, options);
    let mut pending: Vec<(Request, Duration)> = Vec::new();
    let mut now = Duration::ZERO;
    loop {
        let until = match checker.poll(now) {
            Step::Ask(request) => {
                pending.push((request, now));
                continue;
            }
            Step::Wait(until) => until,
            Step::End => break,
        };
        assert!(now < end, "the checker does not end");
        origin.live(now);
        let mut is_answered = false;
        let mut held = Vec::new();
        for (request, asked) in pending {
            let query = Asked {
                request: &request,
                now,
                held: now - asked,
            };
            let reply = origin.reply(&request);
            let outcome = match fault(&query, reply) {
                Some(reply) => Some(Outcome::Answer(reply.answer(&request, origin.is_http2))),
                None if now - asked >= request.timeout => Some(Outcome::TimedOut),
                None => None,
            };
            match outcome {
                Some(outcome) => {
                    checker.answer(request.id, now + DELAY, outcome);
                    is_answered = true;
                }
                None => held.push((request, asked)),
            }
        }
        pending = held;
        now = match is_answered {
            true => now + DELAY,
            false => (now + TICK).min(until.max(now + DELAY)),
        };
    }
    checker.finish()
}

/// A request as a fault sees it.
pub struct Asked<'a> {
    pub request: &'a Request,
    pub now: Duration,
    pub held: Duration,
}

impl Asked<'_> {
    pub fn path(&self) -> &str {
        self.request.url.path()
    }

    pub fn query(&self) -> &str {
        self.request.url.query().unwrap_or_default()
    }

    pub fn is_playlist(&self) -> bool {
        self.path().ends_with(".m3u8")
    }

    /// A media playlist.
    pub fn is_media(&self) -> bool {
        self.is_playlist() && self.path().matches('/').count() > 2
    }

    pub fn is_multivariant(&self) -> bool {
        self.is_playlist() && !self.is_media()
    }

    pub fn has(&self, header: &str) -> bool {
        self.request.headers.iter().any(|(name, _)| *name == header)
    }

    pub fn is_segment(&self) -> bool {
        !self.is_playlist() && !self.path().contains("init")
    }

    pub fn after(&self, seconds: u64) -> bool {
        self.now >= Duration::from_secs(seconds)
    }
}

/// The checks that found something, in their order.
pub fn names(done: &Done) -> Vec<&'static str> {
    let mut names: Vec<_> = done
        .findings
        .iter()
        .map(|finding| finding.check.name)
        .collect();
    names.dedup();
    names
}
