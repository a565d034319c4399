//! The server's side of a connection.

mod answer;
mod command;
mod config;
mod event;
mod session;
mod stream;

pub use config::ServerConfig;
pub use event::{
    ConnectRequest, PlayRequest, PublishMode, PublishRequest, ServerEvent, StreamEnd,
    UnpublishReason,
};
pub use session::ServerSession;
