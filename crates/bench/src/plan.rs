//! What is asked for.

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
    /// They join, take a key frame, leave and join again.
    Churn {
        /// Joins per second of all together; `None` as fast as they can.
        rate: Option<f64>,
    },
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

    pub(crate) fn publishers(&self) -> u32 {
        self.publish.as_ref().map_or(0, |_| self.streams)
    }

    pub(crate) fn audio_step_ms(&self) -> Option<f64> {
        self.publish.as_ref()?.source.audio_step_ms
    }
}
