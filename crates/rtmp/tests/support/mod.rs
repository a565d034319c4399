//! What several tests of whole sessions need.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtmp::{ClientEvent, ClientSession, Limits, ServerConfig, ServerEvent, ServerSession};

/// The shared test media: `SIDESTREAM_SHARED`, or `shared` beside the repository. Says so when absent.
pub fn testmedia(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("SIDESTREAM_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let start = Path::new(env!("CARGO_MANIFEST_DIR"));
            start
                .ancestors()
                .map(|dir| dir.join("shared"))
                .find(|dir| dir.join("testmedia").is_dir())
        });
    let found = shared
        .map(|dir| dir.join("testmedia").join(path))
        .filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: shared/testmedia/{path} is not there");
    }
    found
}

/// The time at which virtual time begins.
#[allow(clippy::disallowed_methods)]
pub fn start() -> Instant {
    Instant::now()
}

/// Files of a folder, in order of their names.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// A server session that says yes to everything, with virtual time.
pub struct Server {
    pub session: ServerSession,
    pub events: Vec<ServerEvent>,
    pub now: Instant,
}

impl Server {
    pub fn new() -> Self {
        Self::with_config(ServerConfig::default())
    }

    pub fn with_config(config: ServerConfig) -> Self {
        let now = start();
        let session = ServerSession::new(Arc::new(config), Limits::default(), now);
        Self {
            session,
            events: Vec::new(),
            now,
        }
    }

    /// Gives input, accepts what is asked for, and keeps the events.
    pub fn input(&mut self, input: &[u8]) -> Result<(), rtmp::Error> {
        self.session.handle_input(self.now, input)?;
        self.drain()
    }

    pub fn drain(&mut self) -> Result<(), rtmp::Error> {
        while let Some(event) = self.session.poll_event() {
            let answered = match &event {
                ServerEvent::Connect(_) => self.session.accept_connect(),
                ServerEvent::Publish(request) => {
                    self.session.accept_publish(request.message_stream_id)
                }
                ServerEvent::Play(request) => self.session.accept_play(request.message_stream_id),
                _ => Ok(()),
            };
            self.events.push(event);
            self.session.check_invariants();
            answered?;
        }
        self.session.check_invariants();
        Ok(())
    }

    /// What the session wants to send.
    pub fn output(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.session.poll_transmit())
            .flatten()
            .collect()
    }

    pub fn pass(&mut self, time: Duration) -> Result<(), rtmp::Error> {
        self.now += time;
        self.session.handle_timeout(self.now)
    }
}

/// Our server and our client, joined in memory. Bytes go over in pieces of `piece` bytes.
pub struct Pair {
    pub server: Server,
    pub client: ClientSession,
    pub client_events: Vec<ClientEvent>,
    pub piece: usize,
}

impl Pair {
    pub fn new(client: ClientSession, piece: usize) -> Self {
        Self {
            server: Server::new(),
            client,
            client_events: Vec::new(),
            piece,
        }
    }

    /// Moves bytes both ways until both are quiet.
    pub fn settle(&mut self) {
        loop {
            let to_server: Vec<u8> = std::iter::from_fn(|| self.client.poll_transmit())
                .flatten()
                .collect();
            for piece in to_server.chunks(self.piece) {
                self.server.input(piece).unwrap();
            }
            let to_client = self.server.output();
            for piece in to_client.chunks(self.piece) {
                self.client.handle_input(self.server.now, piece).unwrap();
                self.client.check_invariants();
                self.client_events
                    .extend(std::iter::from_fn(|| self.client.poll_event()));
            }
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
        }
    }
}
