//! Joins HLS to the storage that it is copied to.

use std::sync::Arc;
use std::time::Instant;

use hls::{Container, Presentation};
use media::StreamName;
use server::{HlsCopy, HlsMirror};
use storage::{Mirrors, Settings};

use super::error::Error;
use crate::config::Mirror;

/// The streams that the configuration names, and where they go.
pub(super) struct Copies {
    config: Mirror,
    mirrors: Mirrors,
}

/// Opens the storage that is configured.
pub(super) fn start(config: &Mirror) -> Result<Option<Mirrors>, Error> {
    let store = config.store().map_err(|(_, what)| Error::Mirror(what))?;
    Ok(store.map(|store| {
        let mut settings = Settings::default();
        settings.containers.clone_from(&config.containers);
        settings.keep = config.keep;
        tracing::info!(to = %store, "hls is mirrored");
        Mirrors::start(store, settings)
    }))
}

impl Copies {
    pub(super) fn new(config: &Mirror, mirrors: Mirrors) -> Self {
        let config = config.clone();
        Self { config, mirrors }
    }
}

impl HlsMirror for Copies {
    fn containers(&self, stream: &StreamName) -> &[Container] {
        match self.config.takes(stream) {
            true => &self.config.containers,
            false => &[],
        }
    }

    fn offer(&self, stream: &StreamName, presentation: &Arc<Presentation>) {
        self.mirrors.offer(stream, presentation);
    }

    fn of(&self, stream: &StreamName) -> Vec<HlsCopy> {
        let now = Instant::now();
        let copies = self.mirrors.status(stream).into_iter();
        let copy = |(container, status): (Container, storage::Status)| HlsCopy {
            container: crate::config::container_word(container),
            to: self.mirrors.store().to_string(),
            state: status.state.as_str(),
            behind_s: status.behind.as_secs_f64(),
            failing_s: status
                .failing_since
                .map(|since| now.saturating_duration_since(since).as_secs_f64()),
            last_error_kind: status.last_error.as_ref().map(|(kind, _)| kind.as_str()),
            last_error: status.last_error.map(|(_, reason)| reason.into()),
            objects: status.objects,
            bytes: status.bytes,
            deleted: status.deleted,
            skipped: status.skipped,
            failures: status.failures,
        };
        copies.map(copy).collect()
    }
}
