//! Rules that say which streams are a ladder, by their names.

use media::StreamName;

/// What stands for a part of a name.
const PLACE: &str = "{name}";
/// Rungs of a ladder at most. Bounds: a rule that makes one request start a run for each of many
/// streams.
pub const MAX_RUNGS: usize = 16;

/// A rule that joins streams to ladders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderRule {
    name: Template,
    rungs: Vec<Template>,
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LadderError {
    /// A name that no stream can have.
    #[error("{0:?} is no stream's name: {1}")]
    Name(String, media::NameError),
    /// `{name}` more than once, or before the last `/`.
    #[error("{0:?}: {{name}} may stand once, behind the last /")]
    Place(String),
    /// `{name}` in one and not in another.
    #[error("{0:?} has no {{name}}, or {1:?} has one that it lacks; both need it, or neither")]
    Unlike(String, String),
    /// Playlists name each other by their last part.
    #[error("{0:?} is in another app than {1:?}")]
    OtherApp(String, String),
    /// No rung, or too many.
    #[error("{0} rungs; there may be 1 to {MAX_RUNGS}")]
    Count(usize),
    /// The same stream twice.
    #[error("{0:?} stands twice")]
    Twice(String),
    /// A ladder of ladders.
    #[error("{0:?} is the name of a ladder; rungs are published streams")]
    Ladder(String),
}

/// What of a rule is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LadderField {
    /// The ladder's name.
    Name,
    /// The list of rungs as a whole.
    Rungs,
    /// The rung of this number, from 0.
    Rung(usize),
}

/// A name with a part left open.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    text: String,
    before: String,
    /// What follows `{name}`, where it stands.
    after: Option<String>,
}

impl Template {
    fn parse(text: &str) -> Result<Self, LadderError> {
        let filled = text.replace(PLACE, "x");
        if let Err(error) = StreamName::from_path(&filled) {
            return Err(LadderError::Name(text.to_owned(), error));
        }
        let (before, after) = match text.split_once(PLACE) {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        if after.is_some_and(|after| after.contains(PLACE) || after.contains('/')) {
            return Err(LadderError::Place(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            before: before.to_owned(),
            after: after.map(str::to_owned),
        })
    }

    /// Whether a rung can have this name, beside the ladder's (where that is one) and other rungs'.
    fn beside(&self, ladder: Option<&Self>, rungs: &[Self]) -> Result<(), LadderError> {
        if let Some(ladder) = ladder {
            let both = || (self.text.clone(), ladder.text.clone());
            if self.after.is_some() != ladder.after.is_some() {
                let (rung, ladder) = both();
                return Err(LadderError::Unlike(rung, ladder));
            }
            if self.app() != ladder.app() {
                let (rung, ladder) = both();
                return Err(LadderError::OtherApp(rung, ladder));
            }
            if self == ladder {
                return Err(LadderError::Ladder(self.text.clone()));
            }
        }
        if rungs.contains(self) {
            return Err(LadderError::Twice(self.text.clone()));
        }
        Ok(())
    }

    fn app(&self) -> &str {
        self.text.rsplit_once('/').map_or("", |(app, _)| app)
    }

    /// What stands for `{name}` in this name, when it is one of these; empty without a place.
    fn matches<'a>(&self, name: &'a str) -> Option<&'a str> {
        let Some(after) = &self.after else {
            return (name == self.before).then_some("");
        };
        let found = name.strip_prefix(&*self.before)?.strip_suffix(&**after)?;
        (!found.is_empty() && !found.contains('/')).then_some(found)
    }

    fn fill(&self, found: &str) -> Option<StreamName> {
        let text = match &self.after {
            Some(after) => format!("{}{found}{after}", self.before),
            None => self.before.clone(),
        };
        text.parse().ok()
    }
}

impl LadderRule {
    /// A rule; `{name}` stands for the same text in all names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(name: &str, rungs: &[String]) -> Result<Self, LadderError> {
        Self::read(name, rungs).map_err(|mut wrong| wrong.swap_remove(0).1)
    }

    /// As [`Self::new`], for those who can say of each field what is wrong with it.
    ///
    /// # Errors
    /// All that is wrong, in reading order; at least one thing.
    pub fn read(name: &str, rungs: &[String]) -> Result<Self, Vec<(LadderField, LadderError)>> {
        if rungs.is_empty() || rungs.len() > MAX_RUNGS {
            let error = LadderError::Count(rungs.len());
            return Err(vec![(LadderField::Rungs, error)]);
        }
        let mut wrong = Vec::new();
        let name = Template::parse(name);
        let mut known: Vec<Template> = Vec::new();
        for (index, rung) in rungs.iter().enumerate() {
            let rung = Template::parse(rung)
                .and_then(|rung| rung.beside(name.as_ref().ok(), &known).map(|()| rung));
            match rung {
                Ok(rung) => known.push(rung),
                Err(error) => wrong.push((LadderField::Rung(index), error)),
            }
        }
        match name {
            Ok(name) if wrong.is_empty() => Ok(Self { name, rungs: known }),
            Ok(_) => Err(wrong),
            Err(error) => {
                wrong.insert(0, (LadderField::Name, error));
                Err(wrong)
            }
        }
    }

    /// The ladder's name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.text
    }

    /// The rungs' names as they were given.
    pub fn rungs(&self) -> impl Iterator<Item = &str> {
        self.rungs.iter().map(|rung| &*rung.text)
    }

    /// Whether these rules can stand together: no ladder's name is the rung of another, and each
    /// stands once.
    ///
    /// # Errors
    /// [`LadderError::Ladder`], [`LadderError::Twice`].
    pub fn check_all(rules: &[Self]) -> Result<(), LadderError> {
        for (index, rule) in rules.iter().enumerate() {
            for other in rules.iter().take(index) {
                rule.check_beside(other)?;
            }
        }
        Ok(())
    }

    /// Whether this rule can stand beside another.
    ///
    /// # Errors
    /// [`LadderError::Ladder`], [`LadderError::Twice`].
    pub fn check_beside(&self, other: &Self) -> Result<(), LadderError> {
        if self.name == other.name {
            return Err(LadderError::Twice(self.name.text.clone()));
        }
        for (rule, beside) in [(self, other), (other, self)] {
            if rule.rungs.contains(&beside.name) {
                return Err(LadderError::Ladder(beside.name.text.clone()));
            }
        }
        match self.rungs.iter().find(|rung| other.rungs.contains(rung)) {
            Some(rung) => Err(LadderError::Twice(rung.text.clone())),
            None => Ok(()),
        }
    }

    /// Whether this rule has a say where another one is asked first: [`Self::check_beside`], and no name
    /// without `{name}` is one that the other knows.
    ///
    /// # Errors
    /// [`LadderError::Ladder`], [`LadderError::Twice`].
    pub fn check_behind(&self, other: &Self) -> Result<(), LadderError> {
        self.check_beside(other)?;
        let known = |name: &&Template, is_known: &dyn Fn(&StreamName) -> bool| {
            name.after.is_none() && name.fill("").as_ref().is_some_and(is_known)
        };
        let is_ladder = |name: &StreamName| other.rungs_of(name).is_some();
        let is_rung = |name: &StreamName| other.ladder_of(name).is_some();
        let ladder = Some(&self.name).filter(|name| known(name, &is_ladder));
        let rung = || self.rungs.iter().find(|rung| known(rung, &is_rung));
        match ladder.or_else(rung) {
            Some(name) => Err(LadderError::Twice(name.text.clone())),
            None => Ok(()),
        }
    }

    /// The rungs of the ladder of this name, as the rule orders them.
    #[must_use]
    pub fn rungs_of(&self, ladder: &StreamName) -> Option<Vec<StreamName>> {
        let found = self.name.matches(ladder.as_str())?;
        self.rungs.iter().map(|rung| rung.fill(found)).collect()
    }

    /// The ladder that this stream is a rung of.
    #[must_use]
    pub fn ladder_of(&self, stream: &StreamName) -> Option<(StreamName, usize)> {
        let mut rungs = self.rungs.iter().enumerate();
        rungs.find_map(|(index, rung)| {
            let found = rung.matches(stream.as_str())?;
            Some((self.name.fill(found)?, index))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> StreamName {
        text.parse().unwrap()
    }

    fn rule(name: &str, rungs: &[&str]) -> Result<LadderRule, LadderError> {
        let rungs: Vec<String> = rungs.iter().map(|&rung| rung.to_owned()).collect();
        LadderRule::new(name, &rungs)
    }

    #[test]
    fn names_are_found_both_ways() {
        let rule = rule("live/{name}", &["live/{name}_720p", "live/low-{name}"]).unwrap();
        assert_eq!(
            rule.rungs_of(&name("live/cam")),
            Some(vec![name("live/cam_720p"), name("live/low-cam")])
        );
        assert_eq!(rule.rungs_of(&name("other/cam")), None);
        let ladder = |stream| rule.ladder_of(&name(stream));
        assert_eq!(ladder("live/cam_720p"), Some((name("live/cam"), 0)));
        assert_eq!(ladder("live/low-cam"), Some((name("live/cam"), 1)));
        for other in ["live/cam", "live/_720p", "live/a/cam_720p", "hd/cam_720p"] {
            assert_eq!(ladder(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_rule_is_said() {
        let said = |name, rungs: &[&str]| rule(name, rungs).unwrap_err().to_string();
        assert_eq!(said("live/a", &[]), "0 rungs; there may be 1 to 16");
        let many: Vec<String> = (0..50).map(|n| format!("live/a{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(said("live/a", &many), "50 rungs; there may be 1 to 16");
        assert!(said("live", &["live/b"]).starts_with("\"live\" is no stream's name"));
        assert_eq!(
            said("{name}/a", &["{name}/b"]),
            "\"{name}/a\": {name} may stand once, behind the last /"
        );
        assert_eq!(
            said("live/{name}", &["live/b"]),
            "\"live/b\" has no {name}, or \"live/{name}\" has one that it lacks; both need it, or neither"
        );
        assert_eq!(
            said("live/{name}", &["hd/{name}"]),
            "\"hd/{name}\" is in another app than \"live/{name}\""
        );
        assert_eq!(
            said("live/{name}", &["live/{name}"]),
            "\"live/{name}\" is the name of a ladder; rungs are published streams"
        );
        assert_eq!(
            said("live/a", &["live/b", "live/b"]),
            "\"live/b\" stands twice"
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_of_its_field() {
        let rungs = [
            "live/b",
            "live",
            "hd/{name}",
            "live/{name}_x",
            "live/{name}_x",
        ];
        let rungs = rungs.map(str::to_owned);
        let said = |name| {
            let wrong = LadderRule::read(name, &rungs).unwrap_err();
            wrong
                .into_iter()
                .map(|(field, _)| field)
                .collect::<Vec<_>>()
        };
        let wrong = [0, 1, 2, 4].map(LadderField::Rung);
        assert_eq!(said("live/{name}"), wrong);
        let wrong = [
            LadderField::Name,
            LadderField::Rung(1),
            LadderField::Rung(4),
        ];
        assert_eq!(said("{name}"), wrong);
        let wrong = LadderRule::read("live/a", &[]).unwrap_err();
        assert_eq!(wrong[0].0, LadderField::Rungs);
    }

    #[test]
    fn rules_that_lead_in_a_circle_are_refused() {
        let a = rule("live/{name}", &["live/{name}_hd"]).unwrap();
        let b = rule("live/{name}_hd", &["live/{name}_uhd"]).unwrap();
        let error = LadderRule::check_all(&[a.clone(), b]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"live/{name}_hd\" is the name of a ladder; rungs are published streams"
        );
        assert!(LadderRule::check_all(&[a.clone(), a.clone()]).is_err());
        let c = rule("live/other-{name}", &["live/{name}_hd"]).unwrap();
        let error = a.check_beside(&c).unwrap_err().to_string();
        assert_eq!(error, "\"live/{name}_hd\" stands twice");
        for (name, rung, twice) in [
            ("live/cam", "live/cam_x", Some("live/cam")),
            ("tv/cam", "tv/cam_hd", None),
            ("live/all", "live/b_hd", Some("live/all")),
            ("live/a/b", "live/a/c", None),
        ] {
            let d = rule(name, &[rung]).unwrap();
            assert_eq!(d.check_beside(&a), Ok(()));
            let twice = twice.map(|name| LadderError::Twice(name.to_owned()));
            assert_eq!(d.check_behind(&a).err(), twice, "{name}");
        }
    }
}
