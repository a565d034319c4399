//! What the workers can be told.

use std::time::Duration;

/// The longest that [`Batch::Auto`] holds a frame back.
pub const AUTO_BOUND: Duration = Duration::from_millis(150);

/// Settings of [`crate::Deliver`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Worker threads; 0 is one per core. Fixed at the start.
    pub workers: usize,
    /// How media is gathered before it is written.
    pub batch: Batch,
    /// Most media time a viewer may lag before it is moved on.
    pub max_lag: Duration,
    /// Most bytes a viewer may lag before it is moved on. Bounds: the window of a group, that is
    /// the memory of a stream whose viewers stall.
    pub max_lag_bytes: usize,
    /// A viewer that takes nothing for this long is closed, and so is one that lags too much and
    /// has not even finished the message it is in for this long.
    pub stall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 0,
            batch: Batch::Auto,
            max_lag: Duration::from_secs(10),
            max_lag_bytes: 8 << 20,
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// How media is gathered before it is written: fewer writes cost less and delay more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// Written as it comes while that is cheap; as passes over the viewers grow longer, gathered
    /// for three times as long as they take, at most [`AUTO_BOUND`].
    #[default]
    Auto,
    /// The viewer in the middle of a pass has the first new frame so much later: gathered for this
    /// long less half a pass, at least for half of it. Zero writes each as it comes.
    For(Duration),
}
