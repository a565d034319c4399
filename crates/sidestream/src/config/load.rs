//! Layers a configuration: default, file, environment, flags; collects every problem on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::problem::{ConfigError, Place, Problem};
use super::rules;
use super::schema::{
    self, CALLBACK_ENDPOINT_KEYS, DVR_RULE_KEYS, HLS_ENCRYPTION_KEYS, Key, LADDER_KEYS, PUSH_KEYS,
    RECORD_RULE_KEYS, SECTIONS,
};
use super::value::{Entry, Kind, Value, line_and_column, parse_document};
use crate::nearest::nearest;

/// Variables with our prefix that are no settings: the tests of the repository read this one.
const NOT_SETTINGS: [&str; 1] = ["SIDESTREAM_SHARED"];

/// Reads a configuration from its layers.
#[derive(Debug, Default)]
pub struct Loader {
    file: Option<Source>,
    environment: Vec<(String, String)>,
    flags: Vec<Flag>,
}

#[derive(Debug)]
enum Source {
    Path(PathBuf),
    Text { name: String, text: String },
}

#[derive(Debug)]
struct Flag {
    flag: &'static str,
    section: &'static str,
    key: &'static str,
    text: String,
}

/// Which layer a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// Somebody did, here.
    Set(Place),
}

/// A configuration and where each of its settings comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Absolute path of the file, when there is one.
    pub file: Option<PathBuf>,
    places: Places,
}

/// Places by `section.key`, `push.N` and `push.N.key`.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    map: BTreeMap<String, Place>,
    keys_set: usize,
}

impl Places {
    fn set(&mut self, path: String, place: Place) {
        if self.map.insert(path, place).is_none() {
            self.keys_set += 1;
        }
    }

    /// Where a path was set, or the nearest table around it.
    pub(super) fn find(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.map.get(path) {
                return place.clone();
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return Place::Default,
            }
        }
    }
}

impl Loader {
    /// Defaults only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the file at `path`; relative paths in it are meant from its folder.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        self.file = Some(Source::Path(path.to_owned()));
        self
    }

    /// Adds a file's text; `name` stands for it in errors.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        self.file = Some(Source::Text { name, text });
        self
    }

    /// Adds overrides `SIDESTREAM_SECTION__KEY`; other variables are passed over.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(
            variables
                .into_iter()
                .filter(|(name, _)| name.starts_with("SIDESTREAM_")),
        );
        self.environment.sort();
        self
    }

    /// Adds what a command line flag says of a key.
    #[must_use]
    pub fn flag(
        mut self,
        flag: &'static str,
        section: &'static str,
        key: &'static str,
        text: &str,
    ) -> Self {
        let text = text.to_owned();
        self.flags.push(Flag {
            flag,
            section,
            key,
            text,
        });
        self
    }

    /// Reads everything.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem that was found.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let (loaded, problems) = self.read();
        match problems.is_empty() {
            true => Ok(loaded),
            false => Err(ConfigError { problems }),
        }
    }

    /// Reads what can be read, and tells every problem in reading order; settings with a problem
    /// are at their defaults.
    #[must_use]
    pub fn read(self) -> (Loaded, Vec<Problem>) {
        let mut reading = Reading::default();
        let mut file = None;
        match &self.file {
            None => {}
            Some(Source::Text { name, text }) => reading.document(name, text),
            Some(Source::Path(path)) => {
                file = std::path::absolute(path).ok();
                reading.file(path, file.as_deref().and_then(Path::parent));
            }
        }
        for (name, text) in &self.environment {
            reading.variable(name, text);
        }
        for flag in &self.flags {
            reading.flag(flag);
        }
        rules::check(&reading.config, &mut |path, what| {
            reading.problems.push(Problem {
                place: reading.places.find(path),
                what,
            });
        });
        let mut problems = reading.problems;
        in_reading_order(&mut problems);
        let loaded = Loaded {
            config: reading.config,
            file,
            places: reading.places,
        };
        (loaded, problems)
    }
}

/// Sorts problems as they stand in the file, then those of the environment, then of flags.
pub fn in_reading_order(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| match &problem.place {
        Place::WholeFile(_) => (0, 0, 0),
        Place::File { line, column, .. } => (1, *line, *column),
        Place::Environment(_) => (2, 0, 0),
        Place::Flag(_) => (3, 0, 0),
        Place::Default => (4, 0, 0),
    });
}

impl Loaded {
    /// How many keys were set by the file, the environment and flags.
    #[must_use]
    pub fn keys_set(&self) -> usize {
        self.places.keys_set
    }

    /// Every key with its value as TOML (secrets as `****`) and where it comes from, in the order
    /// of the reference; sections are named before their first key.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &'static str, String, Origin)> {
        SECTIONS.iter().flat_map(|section| {
            section.keys.iter().map(|key| {
                let path = format!("{}.{}", section.name, key.name);
                let origin = self.places.map.get(&path);
                (
                    section.name,
                    key.name,
                    (key.show)(&self.config),
                    origin.map_or(Origin::Default, |place| Origin::Set(place.clone())),
                )
            })
        })
    }

    /// A problem with the value of `path` (`section.key`), placed where it was set.
    #[must_use]
    pub fn problem(&self, path: &str, what: impl Into<String>) -> Problem {
        Problem {
            place: self.places.find(path),
            what: what.into(),
        }
    }
}

/// Why a file cannot be read, and what to do about it.
pub(crate) fn unreadable(error: &std::io::Error, advice: &str) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("no such file; create it or {advice}"),
        std::io::ErrorKind::PermissionDenied => {
            format!("permission denied; make it readable or {advice}")
        }
        std::io::ErrorKind::InvalidData => "not UTF-8 text".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}

#[derive(Default)]
struct Reading {
    config: Config,
    places: Places,
    problems: Vec<Problem>,
}

/// A document being read: turns offsets into places.
struct Document<'a> {
    name: &'a str,
    text: &'a str,
}

impl Document<'_> {
    fn place(&self, at: usize) -> Place {
        let (line, column) = line_and_column(self.text, at);
        Place::File {
            name: self.name.to_owned(),
            line,
            column,
        }
    }
}

impl Reading {
    fn file(&mut self, path: &Path, folder: Option<&Path>) {
        let name = path.to_string_lossy();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.document(&name, &text);
                self.resolve_paths(folder.unwrap_or(Path::new(".")));
            }
            Err(error) => {
                let place = Place::WholeFile(name.into_owned());
                self.problem(place, unreadable(&error, "name another with --config"));
            }
        }
    }

    fn document(&mut self, name: &str, text: &str) {
        let document = Document { name, text };
        let (entries, errors) = parse_document(text);
        for error in errors {
            self.problem(document.place(error.at), error.what);
        }
        for entry in &entries {
            if entry.name == "push" {
                self.push_targets(&document, entry);
            } else {
                self.section(&document, entry);
            }
        }
    }

    fn section(&mut self, document: &Document<'_>, entry: &Entry) {
        let name = entry.name.as_str();
        let Some(section) = schema::section(name) else {
            let what = match &entry.value.kind {
                Kind::Table(_) | Kind::Array(_) => unknown_section(name),
                _ => unknown_outside(name),
            };
            return self.problem(document.place(entry.at), what);
        };
        let Kind::Table(keys) = &entry.value.kind else {
            let what = format!(
                "{name} is a section, found {}; write [{name}]",
                entry.value.found()
            );
            return self.problem(document.place(entry.value.at), what);
        };
        for key in keys {
            match (name, key.name.as_str()) {
                ("hls", "ladder") => {
                    self.ladders(document, key);
                    continue;
                }
                ("record", "rule") => {
                    self.record_rules(document, key);
                    continue;
                }
                ("callbacks", "endpoint") => {
                    self.callback_endpoints(document, key);
                    continue;
                }
                ("hls", "dvr_rule") => {
                    self.dvr_rules(document, key);
                    continue;
                }
                ("hls", "encryption") => {
                    self.hls_encryption(document, key);
                    continue;
                }
                _ => {}
            }
            let known = section.keys.iter().find(|known| known.name == key.name);
            let Some(known) = known else {
                let what = unknown_key(name, &key.name, section.keys);
                self.problem(document.place(key.at), what);
                continue;
            };
            let place = document.place(key.value.at);
            self.places.set(format!("{name}.{}", key.name), place);
            if let Err(wrong) = (known.set)(&mut self.config, known.name, &key.value) {
                let what = format!("{name}.{}{}", key.name, wrong.what);
                self.problem(document.place(wrong.at), what);
            }
        }
    }

    fn push_targets(&mut self, document: &Document<'_>, entry: &Entry) {
        let at = entry.at;
        let targets = self.tables(document, &entry.value, at, ("push", "[push]"), PUSH_KEYS);
        self.config.push.extend(targets);
    }

    fn ladders(&mut self, document: &Document<'_>, entry: &Entry) {
        let (at, names) = (entry.at, ("hls.ladder", "[hls.ladder]"));
        let rules = self.tables(document, &entry.value, at, names, LADDER_KEYS);
        self.config.hls.ladder.extend(rules);
    }

    fn record_rules(&mut self, document: &Document<'_>, entry: &Entry) {
        let (at, names) = (entry.at, ("record.rule", "[record.rule]"));
        let rules = self.tables(document, &entry.value, at, names, RECORD_RULE_KEYS);
        self.config.record.rule.extend(rules);
    }

    fn callback_endpoints(&mut self, document: &Document<'_>, entry: &Entry) {
        let (at, names) = (entry.at, ("callbacks.endpoint", "[callbacks.endpoint]"));
        let found = self.tables(document, &entry.value, at, names, CALLBACK_ENDPOINT_KEYS);
        self.config.callbacks.endpoint.extend(found);
    }

    fn dvr_rules(&mut self, document: &Document<'_>, entry: &Entry) {
        let (at, names) = (entry.at, ("hls.dvr_rule", "[hls.dvr_rule]"));
        let rules = self.tables(document, &entry.value, at, names, DVR_RULE_KEYS);
        self.config.hls.dvr_rule.extend(rules);
    }

    fn hls_encryption(&mut self, document: &Document<'_>, entry: &Entry) {
        let (at, names) = (entry.at, ("hls.encryption", "[hls.encryption]"));
        let rules = self.tables(document, &entry.value, at, names, HLS_ENCRYPTION_KEYS);
        self.config.hls.encryption.extend(rules);
    }

    /// A list of tables, `[[name]]`; `inner` is how unknown keys call it.
    fn tables<T: Default>(
        &mut self,
        document: &Document<'_>,
        value: &Value,
        at: usize,
        (name, inner): (&str, &str),
        keys: &[Key<T>],
    ) -> Vec<T> {
        let not_tables = |value: &Value| {
            format!(
                "{name} is a list of sections, found {}; write [[{name}]]",
                value.found()
            )
        };
        let mut tables = Vec::new();
        let Kind::Array(items) = &value.kind else {
            self.problem(document.place(at), not_tables(value));
            return tables;
        };
        for (index, item) in items.iter().enumerate() {
            let Kind::Table(entries) = &item.kind else {
                self.problem(document.place(item.at), not_tables(item));
                continue;
            };
            let mut table = T::default();
            let around = document.place(item.at);
            self.places.map.insert(format!("{name}.{index}"), around);
            for key in entries {
                let Some(known) = keys.iter().find(|known| known.name == key.name) else {
                    let what = unknown_key(inner, &key.name, keys);
                    self.problem(document.place(key.at), what);
                    continue;
                };
                let place = document.place(key.value.at);
                self.places
                    .set(format!("{name}.{index}.{}", key.name), place);
                if let Err(wrong) = (known.set)(&mut table, known.name, &key.value) {
                    let what = format!("{name}.{}{}", key.name, wrong.what);
                    self.problem(document.place(wrong.at), what);
                }
            }
            tables.push(table);
        }
        tables
    }

    fn variable(&mut self, name: &str, text: &str) {
        if NOT_SETTINGS.contains(&name) {
            return;
        }
        let place = Place::Environment(name.to_owned());
        let known = SECTIONS.iter().find_map(|section| {
            let mut keys = section.keys.iter();
            let key = keys.find(|key| schema::variable(section.name, key.name) == name)?;
            Some((section, key))
        });
        let Some((section, key)) = known else {
            let what = if name.starts_with("SIDESTREAM_PUSH") {
                "push targets can only be set in the file; write [[push]] there".to_owned()
            } else if name == "SIDESTREAM_CALLBACKS__ENDPOINT" {
                "endpoints can only be set in the file; write [[callbacks.endpoint]] there"
                    .to_owned()
            } else if name == "SIDESTREAM_HLS__DVR_RULE" {
                "rules can only be set in the file; write [[hls.dvr_rule]] there".to_owned()
            } else if name == "SIDESTREAM_HLS__ENCRYPTION" {
                "rules can only be set in the file; write [[hls.encryption]] there".to_owned()
            } else if name == "SIDESTREAM_RECORD__RULE" {
                "rules can only be set in the file; write [[record.rule]] there".to_owned()
            } else {
                let names: Vec<String> = SECTIONS
                    .iter()
                    .flat_map(|section| {
                        let keys = section.keys.iter();
                        keys.map(|key| schema::variable(section.name, key.name))
                    })
                    .collect();
                match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("unknown variable; did you mean {near}?"),
                    None => "unknown variable; names are SIDESTREAM_SECTION__KEY, as \
                             SIDESTREAM_RTMP__LISTEN"
                        .to_owned(),
                }
            };
            return self.problem(place, what);
        };
        self.plain(section.name, key, text, place);
    }

    fn flag(&mut self, flag: &Flag) {
        let section = schema::section(flag.section).expect("flags name known sections");
        let key = section
            .keys
            .iter()
            .find(|key| key.name == flag.key)
            .expect("flags name known keys");
        self.plain(section.name, key, &flag.text, Place::Flag(flag.flag));
    }

    fn plain(&mut self, section: &str, key: &Key<Config>, text: &str, place: Place) {
        self.places
            .set(format!("{section}.{}", key.name), place.clone());
        if let Err(what) = (key.set_plain)(&mut self.config, key.name, text) {
            // The advice is for a file; here the value stands alone.
            let what = what.replace(&format!("{} = ", key.name), "");
            let what = match &place {
                Place::Flag(_) => what.trim_start_matches([':', ' ']).to_owned(),
                _ => format!("{section}.{}{what}", key.name),
            };
            self.problem(place, what);
        }
    }

    /// Paths in the file are meant from its folder, those of flags from the working folder.
    fn resolve_paths(&mut self, base: &Path) {
        let config = &mut self.config;
        for path in [
            &mut config.rtmps.cert,
            &mut config.rtmps.key,
            &mut config.https.cert,
            &mut config.https.key,
            &mut config.mirror.credentials_file,
        ] {
            schema::resolve(path, base);
        }
        for path in config.auth.paths() {
            schema::resolve(path, base);
        }
        for push in &mut config.push {
            schema::resolve(&mut push.key_file, base);
        }
        for endpoint in &mut config.callbacks.endpoint {
            schema::resolve(&mut endpoint.secret_file, base);
        }
        if self.places.map.contains_key("storage.data") && config.storage.data.is_relative() {
            config.storage.data = base.join(&config.storage.data);
        }
    }

    fn problem(&mut self, place: Place, what: String) {
        self.problems.push(Problem { place, what });
    }
}

fn unknown_section(name: &str) -> String {
    match nearest(name, schema::section_names()) {
        Some("push") => format!("unknown section [{name}]; did you mean [[push]]?"),
        Some(near) => format!("unknown section [{name}]; did you mean [{near}]?"),
        None => {
            let known: Vec<&str> = schema::section_names().collect();
            format!("unknown section [{name}]; there are {}", known.join(", "))
        }
    }
}

fn unknown_outside(name: &str) -> String {
    match home_of(name) {
        Some(section) => {
            format!("key {name:?} stands outside of a section; it belongs to [{section}]")
        }
        None => format!("unknown key {name:?} outside of a section; write [SECTION] above it"),
    }
}

fn unknown_key<T>(section: &str, name: &str, keys: &[Key<T>]) -> String {
    if let Some(near) = nearest(name, keys.iter().map(|key| key.name)) {
        return format!("unknown key {name:?} in [{section}]; did you mean {near:?}?");
    }
    match home_of(name) {
        Some(home) => format!("unknown key {name:?} in [{section}]; it belongs to [{home}]"),
        None => {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            format!(
                "unknown key {name:?} in [{section}]; there are {}",
                known.join(", ")
            )
        }
    }
}

/// The only section that has a key of this name.
fn home_of(name: &str) -> Option<&'static str> {
    let mut homes = SECTIONS
        .iter()
        .filter(|section| section.keys.iter().any(|key| key.name == name));
    match (homes.next(), homes.next()) {
        (Some(section), None) => Some(section.name),
        _ => None,
    }
}
