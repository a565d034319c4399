//! Messages: what the payload of each message type says (RTMP 1.0 §5.4, §6.2, §7.1).

mod aggregate;
mod command;
pub mod control;
mod data;
pub mod type_id;
mod user_control;

pub use aggregate::Aggregate;
pub use command::Command;
pub use data::Data;
pub use user_control::UserControl;

#[cfg(test)]
mod tests;
