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
    /// [`LadderError`].
    pub fn new(name: &str, rungs: &[String]) -> Result<Self, LadderError> {
        if rungs.is_empty() || rungs.len() > MAX_RUNGS {
            return Err(LadderError::Count(rungs.len()));
        }
        let name = Template::parse(name)?;
        let mut known: Vec<Template> = Vec::new();
        for rung in rungs {
            let rung = Template::parse(rung)?;
            if rung.after.is_some() != name.after.is_some() {
                return Err(LadderError::Unlike(rung.text, name.text));
            }
            if rung.app() != name.app() {
                return Err(LadderError::OtherApp(rung.text, name.text));
            }
            if rung == name {
                return Err(LadderError::Ladder(rung.text));
            }
            if known.contains(&rung) {
                return Err(LadderError::Twice(rung.text));
            }
            known.push(rung);
        }
        Ok(Self { name, rungs: known })
    }

    /// Whether these rules can stand together: no ladder's name is the rung of another.
    ///
    /// # Errors
    /// [`LadderError::Ladder`], [`LadderError::Twice`].
    pub fn check_all(rules: &[Self]) -> Result<(), LadderError> {
        for (index, rule) in rules.iter().enumerate() {
            if rules
                .iter()
                .take(index)
                .any(|other| other.name == rule.name)
            {
                return Err(LadderError::Twice(rule.name.text.clone()));
            }
            for rung in &rule.rungs {
                if rules.iter().any(|other| other.name == *rung) {
                    return Err(LadderError::Ladder(rung.text.clone()));
                }
                let elsewhere = |other: &Self| other.rungs.contains(rung);
                if rules.iter().take(index).any(elsewhere) {
                    return Err(LadderError::Twice(rung.text.clone()));
                }
            }
        }
        Ok(())
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
    fn rules_that_lead_in_a_circle_are_refused() {
        let a = rule("live/{name}", &["live/{name}_hd"]).unwrap();
        let b = rule("live/{name}_hd", &["live/{name}_uhd"]).unwrap();
        let error = LadderRule::check_all(&[a.clone(), b]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"live/{name}_hd\" is the name of a ladder; rungs are published streams"
        );
        assert!(LadderRule::check_all(&[a.clone(), a]).is_err());
    }
}
