//! What a server announces and how long it waits.

use std::time::Duration;

use crate::Capabilities;

/// What a server announces and how long it waits. Shared by all sessions of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Chunk size of everything that is sent, in bytes, `1..=16_777_215`. Default 60 000: FFmpeg
    /// mirrors it when publishing, and several peers distrust more than 65 536.
    pub chunk_size: u32,
    /// The peer acknowledges after this many bytes; also announced as peer bandwidth. Default 5 000 000.
    pub window_ack_bytes: u32,
    /// What is answered to clients that announce Enhanced RTMP.
    pub enhanced: Capabilities,
    /// A publisher that sends nothing for this long is gone. Default 30 s.
    pub publisher_idle: Duration,
    /// A player is pinged after this long without any byte from it. Default 30 s.
    pub player_ping: Duration,
    /// A player that sends nothing for this long after a ping is gone. Default 60 s.
    pub player_ping_answer: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_bytes: 5_000_000,
            enhanced: Capabilities::default(),
            publisher_idle: Duration::from_secs(30),
            player_ping: Duration::from_secs(30),
            player_ping_answer: Duration::from_secs(60),
        }
    }
}
