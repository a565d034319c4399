//! Transitions, without a database and without a clock.

mod channel;
mod recording;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use channel::ChannelInput;
pub(crate) use recording::RecordInput;
pub use target::PushState;
