//! What the workers can be told.

use std::time::Duration;

/// Settings of [`crate::Deliver`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// How media is gathered before it is written.
    pub batch: Batch,
    /// Most media time a viewer may lag before it is moved on.
    pub max_lag: Duration,
    /// Most bytes a viewer may lag before it is moved on. Bounds: the window of a group, that is
    /// the memory of a stream whose viewers stall.
    pub max_lag_bytes: usize,
    /// A viewer that takes nothing for this long is closed.
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
    /// Written as it comes; what comes during a pass over the viewers goes with the next one.
    #[default]
    Auto,
    /// Gathered for this long.
    For(Duration),
}
