//! Ladders: several published streams served as one, by rule.
//!
//! ```text
//! name  = "live/{name}"                            /live/cam.m3u8
//! rungs = ["live/{name}_720p", "live/{name}_360p"]   cam/cam_720p/fmp4.m3u8
//!                                                    cam/cam_360p/fmp4.m3u8
//! ```
//!
//! A ladder exists while one of its rungs does; a stream that is itself published under its name
//! is played instead. Its playlists lie below the ladder's name, so that who may watch the ladder
//! may watch what its playlist names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hls::{Ladder, LadderRule};
use media::StreamName;

/// All ladders of a server.
#[derive(Debug)]
pub(super) struct Ladders {
    rules: Vec<LadderRule>,
    segment: Duration,
    // Guards the ladders that have begun. Taken when a run starts and for playlists of ladders.
    begun: Mutex<HashMap<StreamName, Arc<Ladder>>>,
}

impl Ladders {
    pub(super) fn new(rules: Vec<LadderRule>, segment: Duration) -> Self {
        Self {
            rules,
            segment,
            begun: Mutex::default(),
        }
    }

    /// The rungs of the ladder of this name.
    pub(super) fn rungs_of(&self, ladder: &StreamName) -> Option<Vec<StreamName>> {
        self.rules.iter().find_map(|rule| rule.rungs_of(ladder))
    }

    /// The ladder that this stream is a rung of, and its number there.
    pub(super) fn ladder_of(&self, stream: &StreamName) -> Option<(StreamName, usize)> {
        self.rules.iter().find_map(|rule| rule.ladder_of(stream))
    }

    /// What the rungs of this ladder share.
    pub(super) fn shared(&self, ladder: &StreamName) -> Option<Arc<Ladder>> {
        let rungs = self.rungs_of(ladder)?;
        let mut begun = self.begun();
        let shared = begun.entry(ladder.clone()).or_insert_with(|| {
            let names = rungs.iter().map(|rung| rung.stream().into()).collect();
            Ladder::new(names, self.segment)
        });
        Some(Arc::clone(shared))
    }

    /// Forgets the ladders of which no rung is known.
    pub(super) fn sweep(&self, is_known: impl Fn(&StreamName) -> bool) {
        // Asked without the lock: who answers takes others.
        let begun: Vec<StreamName> = self.begun().keys().cloned().collect();
        for ladder in begun {
            let rungs = self.rungs_of(&ladder).unwrap_or_default();
            if !rungs.iter().any(&is_known) {
                self.begun().remove(&ladder);
            }
        }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Ladder>>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream that a path below a ladder's name means: `live/cam/cam_720p` is the rung
    /// `live/cam_720p` of `live/cam`.
    pub(super) fn through(&self, path: &StreamName) -> Option<(StreamName, StreamName)> {
        let (app, _) = path.app().rsplit_once('/')?;
        let rung: StreamName = format!("{app}/{}", path.stream()).parse().ok()?;
        let (ladder, _) = self.ladder_of(&rung)?;
        (ladder.as_str() == path.app()).then_some((ladder, rung))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_below_a_ladder_means_its_rung() {
        let name = |text: &str| text.parse::<StreamName>().unwrap();
        let rungs = ["live/{name}_720p".to_owned()];
        let rule = LadderRule::new("live/{name}", &rungs).unwrap();
        let ladders = Ladders::new(vec![rule], Duration::from_secs(2));
        let through = |path| ladders.through(&name(path));
        assert_eq!(
            through("live/cam/cam_720p"),
            Some((name("live/cam"), name("live/cam_720p")))
        );
        for other in [
            "live/cam_720p",
            "live/dog/cam_720p",
            "live/cam/cam",
            "x/live/cam/cam_720p",
        ] {
            assert_eq!(through(other), None, "{other}");
        }
    }
}
