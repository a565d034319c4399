//! What was found, each kind once for each playlist.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::exchange::Seen;
use crate::rule::{Check, Rule};

/// Findings that are kept. Threat: a hostile server breaks all rules in each of many playlists.
const MAX_FINDINGS: usize = 1_000;
/// Characters of a finding's text. Threat: it quotes a server.
const MAX_TEXT: usize = 500;

/// A broken rule, with the first request that showed it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static Check,
    /// What is wrong, with values.
    pub what: String,
    /// The playlist.
    pub playlist: Arc<str>,
    /// Its line, counted from 1.
    pub line: Option<usize>,
    /// The segment, part or init segment.
    pub resource: Option<Arc<str>>,
    /// What showed it.
    pub seen: Arc<Seen>,
    /// How often it was seen, this one included.
    pub count: u64,
}

/// Where something is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) playlist: Arc<str>,
    pub(crate) line: Option<usize>,
    pub(crate) resource: Option<Arc<str>>,
}

impl Place {
    pub(crate) fn new(playlist: &Arc<str>) -> Self {
        Self {
            playlist: Arc::clone(playlist),
            line: None,
            resource: None,
        }
    }

    pub(crate) fn line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn of(mut self, resource: impl AsRef<str>) -> Self {
        self.resource = Some(resource.as_ref().into());
        self
    }
}

/// All findings.
#[derive(Debug)]
pub(crate) struct Findings {
    rules: BTreeSet<Rule>,
    all: Vec<Finding>,
}

impl Findings {
    /// Of these rules; all when there are none.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let all = || Rule::all().collect();
        Self {
            rules: match rules {
                [] => all(),
                rules => rules.iter().copied().collect(),
            },
            all: Vec::new(),
        }
    }

    pub(crate) fn tell(
        &mut self,
        check: &'static Check,
        place: Place,
        seen: &Arc<Seen>,
        what: impl Into<String>,
    ) {
        if !self.rules.contains(&check.rule) {
            return;
        }
        let mut known = self.all.iter_mut();
        let known = known
            .find(|known| std::ptr::eq(known.check, check) && known.playlist == place.playlist);
        if let Some(known) = known {
            known.count += 1;
        } else if self.all.len() < MAX_FINDINGS {
            let what: String = what.into();
            self.all.push(Finding {
                check,
                what: what.chars().take(MAX_TEXT).collect(),
                playlist: place.playlist,
                line: place.line,
                resource: place.resource,
                seen: Arc::clone(seen),
                count: 1,
            });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// In the order of severity, then rule.
    pub(crate) fn take(self) -> Vec<Finding> {
        let mut all = self.all;
        all.sort_by_key(|finding| (finding.check.severity, finding.check.rule));
        all
    }
}
