//! What `/healthz` is told of the parts that nothing else would notice.

use std::time::Duration;

use deliver::Deliver;

/// A worker ticks every second. One that has not for this long hangs, or its thread is dead.
const SILENT: Duration = Duration::from_secs(15);

/// The health of this process.
pub(super) struct Health {
    pub(super) deliver: Deliver,
}

impl server::Health for Health {
    fn workers(&self) -> Vec<server::Worker> {
        let workers = self.deliver.workers().into_iter();
        workers
            .map(|worker| server::Worker {
                viewers: worker.viewers,
                pass: worker.pass,
            })
            .collect()
    }

    fn dead(&self) -> Vec<String> {
        let workers = self.deliver.workers();
        workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| worker.silent_for > SILENT)
            .map(|(index, worker)| {
                format!(
                    "viewer worker {index} with {} viewers has been silent for {} s; restart",
                    worker.viewers,
                    worker.silent_for.as_secs()
                )
            })
            .collect()
    }
}
