//! A media side that remembers what it was told.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::plane::{Answers, Applied, Desired, Plane, PlaneError};

#[derive(Default)]
pub(super) struct Recorder {
    pub(super) told: Mutex<HashMap<String, Desired>>,
    pub(super) dropped: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<bool>,
}

impl Recorder {
    pub(super) fn last(&self, stream: &str) -> Option<Desired> {
        self.told.lock().unwrap().get(stream).cloned()
    }
}

impl Plane for Recorder {
    fn apply(&self, desired: Desired) -> Answers<'_, Result<Applied, PlaneError>> {
        if *self.refuses.lock().unwrap() {
            return Box::pin(async { Err(PlaneError("not now".to_owned())) });
        }
        self.told
            .lock()
            .unwrap()
            .insert(desired.stream.clone(), desired);
        Box::pin(async {
            Ok(Applied {
                live: true,
                recording: vec![],
            })
        })
    }

    fn drop_publisher(&self, stream: &str, _: &str) -> bool {
        self.dropped.lock().unwrap().push(stream.to_owned());
        true
    }

    fn remove_file(&self, _: &str) -> Answers<'_, Result<(), PlaneError>> {
        Box::pin(async { Ok(()) })
    }
}
