//! The client's side of a connection: publishes to, or plays from, another server.

mod config;
mod event;
mod request;
mod session;

pub use config::ClientConfig;
pub use event::ClientEvent;
pub use session::ClientSession;
