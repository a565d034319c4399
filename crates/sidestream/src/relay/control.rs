//! Joins the control plane to the media side.
//!
//! ```text
//!  hub, record ──▶ Watcher ──▶ Control::observe        what is
//!  Control::drive ──▶ Media (control::Plane) ──▶ hub, publish, record   what should be
//! ```

mod files;
mod media;
mod watcher;

use std::sync::Arc;

use control::{Control, Mode, Settings, Store, UnixMs};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::Error;
use crate::config::{Config, StateIn, UnknownPublish};
pub(super) use media::Media;

/// The database's name in the data folder.
const DATABASE: &str = "control.db";

/// Opens the control plane that a configuration asks for.
pub(super) async fn open(config: &Config) -> Result<Control, Error> {
    let clock: Arc<dyn control::Clock> = Arc::new(UnixMs::now);
    let store = if on_disk(config) {
        Store::open(&config.storage.data.join(DATABASE), Arc::clone(&clock))
    } else {
        Store::in_memory(Arc::clone(&clock))
    };
    let control = Control::open(store?, settings(config)?, clock).await;
    Ok(control?)
}

/// Whether the state outlives the process.
pub(crate) fn on_disk(config: &Config) -> bool {
    match config.control.state {
        StateIn::Disk => true,
        StateIn::Memory => false,
        // What is to be delivered has to outlive a crash.
        StateIn::Auto => config.mode() != "open" || !config.callbacks.endpoint.is_empty(),
    }
}

/// What the configuration says of the control plane.
pub(crate) fn settings(config: &Config) -> Result<Settings, control::Error> {
    let mode = match config.mode() {
        "open" => Mode::Open,
        _ => Mode::Keyed,
    };
    let mut settings = Settings::new(mode);
    settings.app_id.clone_from(&config.control.app_id);
    settings.bizid.clone_from(&config.control.bizid);
    settings.rtmp_app.clone_from(&config.control.rtmp_app);
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    settings.policy.reconnect_window_s = seconds(config.streams.reconnect_window);
    settings.policy.viewer_end_grace_s = seconds(config.streams.viewer_end_grace);
    match config.streams.unknown_publish {
        UnknownPublish::Adopt => {
            settings.policy.unknown_publish = control::model::UnknownPublish::Adopt
        }
        UnknownPublish::Reject => {
            settings.policy.unknown_publish = control::model::UnknownPublish::Reject
        }
        UnknownPublish::Auto => {}
    }
    settings.policy = settings.policy.patched(&config.control.policy.0)?;
    settings.code_rule(&settings.policy, &settings.app_id, &settings.bizid)?;
    Ok(settings)
}

/// Starts the tasks that keep both sides equal; they end with the token.
pub(super) fn start(
    control: &Control,
    media: Arc<Media>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    // Subscribed before anything can be published: no start is missed.
    let watcher = watcher::Watcher::new(control.clone(), Arc::clone(&media));
    tasks.spawn(watcher.run(stop.clone()));
    let drive = stop
        .clone()
        .run_until_cancelled_owned(control.clone().drive(media));
    tasks.spawn(async move {
        drive.await;
    });
}
