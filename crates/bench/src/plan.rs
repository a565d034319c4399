//! What is asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::address::{Protocol, Template};
use crate::source::Source;

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What publishers send, and where; `None` when another process publishes.
    pub publish: Option<Publish>,
    /// Number of streams that `{}` stands for: with publishers their number.
    pub streams: u32,
    /// Who watches; `None` for publishers alone.
    pub view: Option<View>,
    /// An `http://` address asked for once for each stream, before the viewers come: starts HLS of a
    /// server that makes it on demand.
    pub touch: Option<Template>,
    /// Processes whose CPU and memory are measured, with all that descend from them.
    pub server_pids: Vec<u32>,
    /// Threads of the generator, at least 1.
    pub threads: u32,
    /// Between the last publisher's start and the first viewer.
    pub settle: Duration,
    /// Between the last viewer's first media and the window.
    pub warmup: Duration,
    /// What is measured.
    pub window: Duration,
    /// After the window, in which its frames may still come.
    pub grace: Duration,
    /// What a connection has for its first media.
    pub connect_timeout: Duration,
    /// PEM file of certificates that are trusted besides the usual authorities'.
    pub ca: Option<PathBuf>,
}

/// The publishers.
#[derive(Clone, Debug)]
pub struct Publish {
    /// `rtmp://` or `rtmps://`.
    pub url: Template,
    /// What each of them sends, over and over.
    pub source: Arc<Source>,
    /// How many start per second.
    pub ramp: f64,
}

/// The viewers.
#[derive(Clone, Debug)]
pub struct View {
    /// Where they play.
    pub url: Template,
    /// How many, spread evenly over the streams.
    pub viewers: u32,
    /// How many start per second.
    pub ramp: f64,
    /// What they do.
    pub mode: Mode,
    /// How those read who play HLS.
    pub hls: Hls,
}

/// How viewers read HLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hls {
    /// Whole segments, looked for at intervals.
    #[default]
    Segments,
    /// Part by part, each waited for: low latency.
    Parts,
}

/// What viewers do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// They stay; the last `stalled` of them stop reading after their first key frame.
    Stay {
        /// How many stop reading.
        stalled: u32,
    },
    /// They join, take what they came for, leave and join again.
    Churn {
        /// Joins per second of all together; `None` as fast as they can.
        rate: Option<f64>,
        /// When they leave.
        leave: Leave,
    },
    /// They come before the publishers and wait. The window is of the time in which they wait; the
    /// publishers start after it.
    Wait,
}

/// When a churning viewer leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leave {
    /// With its first key frame.
    #[default]
    Key,
    /// With its first audio or video of any kind: for servers that keep no group of pictures, where
    /// the wait for a key frame is the publisher's, not the server's.
    Media,
}

impl Plan {
    /// Refuses what does not go together.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Settings(what.to_owned()));
        if self.publish.is_none() && self.view.is_none() {
            return wrong("nothing to do; pass --publish URL, --play URL, or both");
        }
        if let Some(publish) = &self.publish {
            if publish.url.protocol() != Protocol::Rtmp {
                return wrong("--publish: only rtmp:// and rtmps:// can be published to");
            }
            if self.streams > 1 && !publish.url.has_number() {
                return wrong(
                    "--publish: several publishers need {} in the URL, for the number of the stream",
                );
            }
        }
        let Some(view) = &self.view else {
            return Ok(());
        };
        if self.streams > 1 && !view.url.has_number() {
            return wrong(
                "--play: several streams need {} in the URL, for the number of the stream",
            );
        }
        match view.mode {
            Mode::Stay { stalled } if stalled >= view.viewers => {
                wrong("--stalled: somebody has to read; stall fewer than --viewers")
            }
            Mode::Stay { stalled: 1.. } if view.url.protocol() == Protocol::Hls => {
                wrong("--stalled: an HLS viewer that stops is none; use RTMP or FLV")
            }
            Mode::Churn { .. } if matches!(view.url.protocol(), Protocol::Hls | Protocol::Raw) => {
                wrong("--mode churn: for RTMP, HTTP-FLV and WebSocket-FLV only")
            }
            Mode::Wait if view.url.protocol() != Protocol::Rtmp => {
                wrong("--mode wait: for RTMP only; others have no way to ask for what is not there")
            }
            Mode::Wait if self.touch.is_some() => {
                wrong("--touch: there is nothing to ask for before the publishers of --mode wait")
            }
            _ => Ok(()),
        }
    }

    /// The stream that a viewer plays.
    pub(crate) fn stream_of(&self, viewer: u32) -> u32 {
        viewer % self.streams.max(1)
    }

    pub(crate) fn viewers(&self) -> u32 {
        self.view.as_ref().map_or(0, |view| view.viewers)
    }

    /// Viewers, from the last one back, that stop reading.
    pub(crate) fn stalled(&self) -> u32 {
        match self.view.as_ref().map(|view| view.mode) {
            Some(Mode::Stay { stalled }) => stalled,
            _ => 0,
        }
    }

    /// Viewers of a stream that are expected to receive all its frames.
    pub(crate) fn readers_of(&self, stream: u32) -> u64 {
        let readers = match self.view.as_ref().map(|view| view.mode) {
            Some(Mode::Stay { stalled }) => self.viewers() - stalled,
            _ => 0,
        };
        u64::from(readers.saturating_sub(stream).div_ceil(self.streams.max(1)))
    }

    pub(crate) fn is_churn(&self) -> bool {
        let mode = self.view.as_ref().map(|view| view.mode);
        matches!(mode, Some(Mode::Churn { .. }))
    }

    /// Viewers come first, publishers after the window.
    pub(crate) fn is_waiting(&self) -> bool {
        self.view.as_ref().map(|view| view.mode) == Some(Mode::Wait)
    }

    pub(crate) fn publishers(&self) -> u32 {
        self.publish.as_ref().map_or(0, |_| self.streams)
    }

    pub(crate) fn audio_step_ms(&self) -> Option<f64> {
        self.publish.as_ref()?.source.audio_step_ms
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Viewers of RTMP streams that another process publishes.
    pub(crate) fn plan(streams: u32, viewers: u32, mode: Mode) -> Plan {
        Plan {
            publish: None,
            streams,
            view: Some(View {
                url: "rtmp://localhost/live/s{}".parse().unwrap(),
                viewers,
                ramp: 1.0,
                mode,
                hls: Hls::default(),
            }),
            touch: None,
            server_pids: Vec::new(),
            threads: 1,
            settle: Duration::ZERO,
            warmup: Duration::ZERO,
            window: Duration::ZERO,
            grace: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            ca: None,
        }
    }

    #[test]
    fn readers_of_a_stream_are_its_viewers_that_read() {
        let plan = plan(3, 11, Mode::Stay { stalled: 2 });
        let mut readers = [0; 3];
        for viewer in 0..9 {
            readers[plan.stream_of(viewer) as usize] += 1;
        }
        assert_eq!([0, 1, 2].map(|stream| plan.readers_of(stream)), readers);
        let two = self::plan(3, 2, Mode::Stay { stalled: 0 });
        assert_eq!([0, 1, 2].map(|stream| two.readers_of(stream)), [1, 1, 0]);
    }

    #[test]
    fn viewers_that_come_and_go_or_wait_are_expected_to_receive_nothing() {
        let churn = Mode::Churn {
            rate: None,
            leave: Leave::Key,
        };
        assert_eq!(plan(1, 5, churn).readers_of(0), 0);
        assert_eq!(plan(1, 5, Mode::Wait).readers_of(0), 0);
    }
}
