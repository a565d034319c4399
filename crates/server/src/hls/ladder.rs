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
//!
//! Rules are those of the configuration, which stay, and those that calls make and remove while streams
//! are played; of two that know a name the first decides: the configuration's before the others, and
//! among these, which are in order of names, `live/cam` before `live/{name}`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hls::{Ladder, LadderRule, Rung, Standing};
use media::StreamName;

/// All ladders of a server.
#[derive(Debug)]
pub(crate) struct Ladders {
    configured: Vec<LadderRule>,
    /// Those in force: the configured ones, then those of calls.
    rules: ArcSwap<Vec<LadderRule>>,
    /// Held by a call while it changes rules: stored and in force in the same order.
    pub(crate) turn: tokio::sync::Mutex<()>,
    segment: Duration,
    // Guards the ladders that have begun. Taken when a run starts and for playlists of ladders.
    begun: Mutex<HashMap<StreamName, Arc<Ladder>>>,
}

impl Ladders {
    pub(super) fn new(rules: Vec<LadderRule>, segment: Duration) -> Self {
        Self {
            rules: ArcSwap::from_pointee(rules.clone()),
            configured: rules,
            turn: tokio::sync::Mutex::default(),
            segment,
            begun: Mutex::default(),
        }
    }

    /// The rungs of the ladder of this name.
    pub(super) fn rungs_of(&self, ladder: &StreamName) -> Option<Vec<StreamName>> {
        let rules = self.rules.load();
        rules.iter().find_map(|rule| rule.rungs_of(ladder))
    }

    /// The ladder that this stream is a rung of, and its number there.
    pub(super) fn ladder_of(&self, stream: &StreamName) -> Option<(StreamName, usize)> {
        let rules = self.rules.load();
        rules.iter().find_map(|rule| rule.ladder_of(stream))
    }

    /// The place of this stream in its ladder.
    pub(super) fn rung(&self, stream: &StreamName) -> Option<Rung> {
        let (ladder, index) = self.ladder_of(stream)?;
        self.shared(&ladder)?.rung(index)
    }

    /// The rules of the configuration.
    pub(crate) fn configured(&self) -> &[LadderRule] {
        &self.configured
    }

    /// Why a rule cannot stand behind those of the configuration, or beside these, which calls have made.
    pub(crate) fn clash(&self, rule: &LadderRule, others: &[LadderRule]) -> Option<String> {
        let configured = self.configured.iter().map(|other| {
            let checked = rule.check_behind(other);
            (checked, other, "of the configuration")
        });
        let others = others.iter().map(|other| {
            let checked = rule.check_beside(other);
            (checked, other, "of the API")
        });
        configured
            .chain(others)
            .find_map(|(checked, other, whose)| {
                let (error, name) = (checked.err()?, other.name());
                Some(format!(
                    "{error}; the ladder {name:?} {whose} is in the way"
                ))
            })
    }

    /// Puts the rules of calls in force, but those that the configuration is against. Ladders whose rungs
    /// are others now are forgotten; who is a rung of one finds out by [`Self::rung`].
    pub(super) fn set(&self, called: &[LadderRule]) {
        let fits = called.iter().filter(|rule| self.clash(rule, &[]).is_none());
        let rules: Vec<LadderRule> = self.configured.iter().chain(fits).cloned().collect();
        let before = self.rules.swap(Arc::new(rules));
        let rungs_before = |ladder: &StreamName| before.iter().find_map(|r| r.rungs_of(ladder));
        self.begun()
            .retain(|ladder, _| self.rungs_of(ladder) == rungs_before(ladder));
    }

    /// Begins the ladder that this stream is a rung of, if it has not begun, with numbers behind these: the
    /// stream is played already.
    pub(super) fn begin_after(
        &self,
        stream: &StreamName,
        media_sequence: u64,
        discontinuities: u64,
    ) {
        let ladder = self.ladder_of(stream).map(|(ladder, _)| ladder);
        if let Some(shared) = ladder.and_then(|ladder| self.shared(&ladder)) {
            shared.number_from(media_sequence, discontinuities);
        }
    }

    /// The ladders of a rule that have begun, in order of names: each rung, and how it stands to the others.
    pub(crate) fn begun_of(
        &self,
        rule: &LadderRule,
    ) -> Vec<(StreamName, Vec<(StreamName, Standing)>)> {
        let begun: Vec<_> = self
            .begun()
            .iter()
            .map(|(name, shared)| (name.clone(), Arc::clone(shared)))
            .collect();
        let mut found: Vec<_> = begun
            .into_iter()
            .filter_map(|(name, shared)| {
                let rungs = rule.rungs_of(&name)?;
                // Another rule, which comes first, may have made it.
                (self.rungs_of(&name)? == rungs).then_some(())?;
                let rungs = rungs.into_iter().enumerate();
                let standing = |(index, rung)| (rung, shared.standing(index));
                Some((name, rungs.map(standing).collect()))
            })
            .collect();
        found.sort_by(|(a, _), (b, _): &(StreamName, _)| a.as_str().cmp(b.as_str()));
        found
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

    /// How this rung of a ladder stands to the others; out where the ladder has not begun.
    pub(super) fn standing(&self, ladder: &StreamName, index: usize) -> Standing {
        let begun = self.begun().get(ladder).cloned();
        begun.map_or(Standing::Out, |shared| shared.standing(index))
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
        ladders.set(&[]);
        assert!(through("live/cam/cam_720p").is_some(), "it is configured");
        for other in [
            "live/cam_720p",
            "live/dog/cam_720p",
            "live/cam/cam",
            "x/live/cam/cam_720p",
        ] {
            assert_eq!(through(other), None, "{other}");
        }
    }

    #[test]
    fn the_configuration_wins_and_ladders_that_changed_begin_anew() {
        let name = |text: &str| text.parse::<StreamName>().unwrap();
        let rule = |name: &str, rungs: &[&str]| {
            let rungs: Vec<String> = rungs.iter().map(|&rung| rung.to_owned()).collect();
            LadderRule::new(name, &rungs).unwrap()
        };
        let configured = rule("tv/{name}", &["tv/{name}_hd"]);
        let ladders = Ladders::new(vec![configured], Duration::from_secs(2));
        let a = rule("live/a", &["live/a1", "live/a2"]);
        let same = rule("tv/{name}", &["tv/{name}_x"]);
        let why = ladders.clash(&same, &[]).unwrap();
        let expected = "\"tv/{name}\" stands twice; the ladder \"tv/{name}\" of the configuration is in the way";
        assert_eq!(why, expected);
        assert_eq!(ladders.clash(&a, &[]), None);
        let why = ladders.clash(&rule("live/a2", &["live/b"]), std::slice::from_ref(&a));
        let expected = "\"live/a2\" is the name of a ladder; rungs are published streams; \
             the ladder \"live/a\" of the API is in the way";
        assert_eq!(why.as_deref(), Some(expected));

        let hidden = rule("tv/cam", &["tv/cam_x"]);
        let why = ladders.clash(&hidden, &[]).unwrap();
        assert!(why.starts_with("\"tv/cam\" stands twice; "), "{why}");
        // An exception to a rule of a call is none to the configuration.
        let all = rule("live/{name}", &["live/{name}1"]);
        assert_eq!(ladders.clash(&rule("live/b", &["live/b1"]), &[all]), None);

        ladders.set(&[a.clone(), same]);
        let place = |stream: &str| ladders.ladder_of(&name(stream));
        assert_eq!(place("live/a2"), Some((name("live/a"), 1)));
        assert_eq!(place("tv/b_hd"), Some((name("tv/b"), 0)));
        assert_eq!(place("tv/b_x"), None);
        let kept = ladders.rung(&name("tv/b_hd"));
        let a2 = ladders.rung(&name("live/a2"));
        assert_eq!(ladders.begun_of(&a).len(), 1);
        ladders.set(&[rule("live/a", &["live/a2"])]);
        assert_eq!(ladders.rung(&name("tv/b_hd")), kept);
        assert_ne!(ladders.rung(&name("live/a2")), a2);
        ladders.set(&[]);
        assert_eq!(ladders.rung(&name("live/a2")), None);
        assert!(ladders.begun_of(&a).is_empty());
    }
}
