//! Keys of the API: what each is called, its hash, and what it is good for.

use control::credential::ApiKeyHash;

use super::setting::{Setting, Wrong, read_text, read_word, show_text};
use super::value::{Entry, Kind, Value};

/// Shorter keys can be guessed.
pub(crate) const MIN_API_KEY_BYTES: usize = 16;

/// A key of the API, sent as `Authorization: Bearer KEY`. The key itself is not kept.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKey {
    /// What the log calls it.
    pub name: String,
    /// The SHA-256 of the secret.
    pub hash: ApiKeyHash,
    /// What it is good for.
    pub scopes: Vec<ApiScope>,
}

/// What a key is good for. `admin` includes all others, `control` includes `publish` and `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiScope {
    /// Asks for credentials to publish with.
    Publish,
    /// Starts, stops, changes and removes.
    Control,
    /// Reads.
    Read,
    /// Changes what concerns everybody.
    Admin,
}

impl ApiScope {
    const WORDS: [(&'static str, Self); 4] = [
        ("publish", Self::Publish),
        ("control", Self::Control),
        ("read", Self::Read),
        ("admin", Self::Admin),
    ];

    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let known = Self::WORDS.iter().find(|(_, scope)| *scope == self);
        known.map_or("admin", |(word, _)| word)
    }

    /// The scope of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, scope)| *scope)
    }
}

impl ApiKey {
    /// A key with a name for the log, good for everything.
    #[must_use]
    pub fn new(name: &str, key: &str) -> Self {
        Self::of_hash(name, ApiKeyHash::of(key))
    }

    /// Whether a key may be called so; names stand in log lines and answers.
    ///
    /// # Errors
    /// One sentence: what a name is.
    pub fn check_name(name: &str) -> Result<(), String> {
        let is_good = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
        if name.is_empty() || name.chars().count() > 64 || !name.chars().all(is_good) {
            return Err(format!(
                "a key's name has 1 to 64 letters, digits, - _ . or @, found {name:?}"
            ));
        }
        Ok(())
    }

    fn of_hash(name: &str, hash: ApiKeyHash) -> Self {
        Self {
            name: name.to_owned(),
            hash,
            scopes: vec![ApiScope::Admin],
        }
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({} **** {:?})", self.name, self.scopes)
    }
}

impl Setting for Vec<ApiKey> {
    const PLAIN: bool = false;

    /// `[{ name = "ops", key = "ss_live_…", scopes = ["read"] }, …]`, with `hash` in place of
    /// `key`, or just the secrets.
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let wrong = |value: &Value| Wrong {
            at: value.at,
            what: format!(
                " is a list of {{ name = \"…\", key = \"…\" }}, found {}",
                hidden(value)
            ),
        };
        let Kind::Array(items) = &value.kind else {
            return Err(wrong(value));
        };
        let keys = items.iter().enumerate().map(|(index, item)| {
            let usual = format!("key{}", index + 1);
            match &item.kind {
                Kind::Text(text) => {
                    let hash = either(&usual, text).map_err(|what| Wrong::value(item, what))?;
                    Ok(ApiKey::of_hash(&usual, hash))
                }
                Kind::Table(entries) => read_table(name, item, entries, usual),
                _ => Err(wrong(item)),
            }
        });
        keys.collect()
    }

    fn show(&self) -> String {
        let keys: Vec<String> = self
            .iter()
            .map(|key| {
                let scopes: Vec<String> =
                    key.scopes.iter().map(|s| show_text(s.as_str())).collect();
                format!(
                    "{{ name = {}, key = \"****\", scopes = [{}] }}",
                    show_text(&key.name),
                    scopes.join(", ")
                )
            })
            .collect();
        format!("[{}]", keys.join(", "))
    }
}

fn read_table(name: &str, item: &Value, entries: &[Entry], usual: String) -> Result<ApiKey, Wrong> {
    let (mut called, mut secret, mut hash) = (usual, None, None);
    let mut scopes = vec![ApiScope::Admin];
    for entry in entries {
        match entry.name.as_str() {
            "name" => {
                read_text(name, &entry.value)?.clone_into(&mut called);
                ApiKey::check_name(&called).map_err(|what| Wrong::value(&entry.value, what))?;
            }
            "key" => match &entry.value.kind {
                Kind::Text(text) => secret = Some((text, &entry.value)),
                _ => return Err(Wrong::value(&entry.value, "a key is a text")),
            },
            "hash" => match &entry.value.kind {
                Kind::Text(text) => {
                    let read = text.parse::<ApiKeyHash>();
                    hash = Some(read.map_err(|error| Wrong::value(&entry.value, error))?);
                }
                _ => return Err(Wrong::value(&entry.value, "a hash is a text")),
            },
            "scopes" => scopes = read_scopes(&entry.value)?,
            other => {
                return Err(Wrong {
                    at: entry.at,
                    what: format!(": unknown key {other:?}; there are name, key, hash and scopes"),
                });
            }
        }
    }
    let hash = match (secret, hash) {
        (Some((text, value)), None) => {
            hash_of(&called, text).map_err(|what| Wrong::value(value, what))?
        }
        (None, Some(hash)) => hash,
        (Some(_), Some(_)) => {
            let what = format!("{called:?} has key and hash; keep one");
            return Err(Wrong::value(item, what));
        }
        (None, None) => {
            return Err(Wrong::value(
                item,
                format!("{called:?} has neither key nor hash"),
            ));
        }
    };
    Ok(ApiKey {
        name: called,
        hash,
        scopes,
    })
}

fn read_scopes(value: &Value) -> Result<Vec<ApiScope>, Wrong> {
    let Kind::Array(items) = &value.kind else {
        let what = "scopes is a list of \"publish\", \"control\", \"read\", \"admin\"";
        return Err(Wrong::value(value, what));
    };
    let scopes = items
        .iter()
        .map(|item| read_word("scopes", item, &ApiScope::WORDS));
    scopes.collect()
}

/// A secret, or what begins as a hash does and then has to be one.
fn either(name: &str, text: &str) -> Result<ApiKeyHash, String> {
    if ApiKeyHash::is_meant(text) {
        return text.parse::<ApiKeyHash>().map_err(|bad| bad.to_string());
    }
    hash_of(name, text)
}

fn hash_of(name: &str, key: &str) -> Result<ApiKeyHash, String> {
    if ApiKeyHash::is_meant(key) {
        // Taken for a secret, the hash itself would open the API.
        return Err(format!("the key of {name:?} is a hash; write hash = \"…\""));
    }
    if key.len() < MIN_API_KEY_BYTES {
        return Err(format!(
            "the key of {name:?} has {} characters; use at least {MIN_API_KEY_BYTES}, as `sidestream key` does",
            key.len()
        ));
    }
    Ok(ApiKeyHash::of(key))
}

/// Reads a `keys_file`: one `NAME KEY SCOPE,SCOPE`, `NAME KEY` or `KEY` a line, KEY being the
/// secret or its `sha256:…`; `#` begins a comment. Keys without a name are numbered after `before`
/// others.
///
/// # Errors
/// The line (from 1) and what is wrong with it.
pub(crate) fn parse_keys_file(text: &str, before: usize) -> Result<Vec<ApiKey>, (usize, String)> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: String| (index + 1, what);
        let words: Vec<&str> = line.split_whitespace().collect();
        let usual = format!("key{}", before + keys.len() + 1);
        let (name, key, scopes) = match words[..] {
            [key] => (usual.as_str(), key, None),
            [name, key] => (name, key, None),
            [name, key, scopes] => (name, key, Some(scopes)),
            _ => return Err(wrong("expected NAME KEY SCOPE,SCOPE".to_owned())),
        };
        ApiKey::check_name(name).map_err(|_| wrong("expected NAME KEY SCOPE,SCOPE".to_owned()))?;
        let hash = either(name, key).map_err(wrong)?;
        let mut api_key = ApiKey::of_hash(name, hash);
        if let Some(scopes) = scopes {
            api_key.scopes = parse_scopes(scopes).map_err(wrong)?;
        }
        keys.push(api_key);
    }
    Ok(keys)
}

/// Reads `read,publish`.
fn parse_scopes(text: &str) -> Result<Vec<ApiScope>, String> {
    let scopes = text.split(',').map(|word| {
        let none = || format!("{word:?} is no scope; there are publish, control, read, admin");
        ApiScope::parse(word).ok_or_else(none)
    });
    scopes.collect()
}

/// Two keys of one name would share what each has of its own; one secret under two names would
/// be either.
pub(super) fn check_apart(keys: &[ApiKey]) -> Result<(), String> {
    for (index, key) in keys.iter().enumerate() {
        for other in keys.iter().take(index) {
            if other.name == key.name {
                return Err(format!("two keys are named {:?}; rename one", key.name));
            }
            if other.hash == key.hash {
                return Err(format!(
                    "{:?} and {:?} are the same key; remove one",
                    other.name, key.name
                ));
            }
        }
    }
    Ok(())
}

/// `ops (admin), shop (read, publish)`.
pub(super) fn explained(keys: &[ApiKey]) -> String {
    let keys = keys.iter().map(|key| {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let scopes = match scopes.is_empty() {
            true => "nothing".to_owned(),
            false => scopes.join(", "),
        };
        format!("{} ({scopes})", key.name)
    });
    keys.collect::<Vec<_>>().join(", ")
}

/// What was found, without the text of it: it may be a secret.
fn hidden(value: &Value) -> String {
    match value.kind {
        Kind::Text(_) => "a text".to_owned(),
        _ => value.found(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Config, Loader};
    use super::*;

    #[test]
    fn keys_have_names_scopes_and_hashes() {
        let hash = ApiKeyHash::of("ss_live_fedcba9876543210").reveal();
        let text = format!(
            "[auth]\nkeys = [{{ name = \"ops\", key = \"ss_live_0123456789abcdef\" }},\n\
             {{ name = \"shop\", hash = \"{hash}\", scopes = [\"read\", \"publish\"] }}]\n"
        );
        let loaded = Loader::new().text("c", &text).load().unwrap();
        let keys = &loaded.config.auth.keys;
        assert_eq!(keys[0], ApiKey::new("ops", "ss_live_0123456789abcdef"));
        assert_eq!(keys[1].scopes, [ApiScope::Read, ApiScope::Publish]);
        assert_eq!(keys[1].hash, ApiKeyHash::of("ss_live_fedcba9876543210"));
        assert_eq!(explained(keys), "ops (admin), shop (read, publish)");
        let file = format!("# comment\nops ss_live_0123456789abcdef\nshop {hash} read,publish\n");
        assert_eq!(parse_keys_file(&file, 0).unwrap(), *keys);
        let text = format!("[auth]\nkeys = [{hash:?}]\n");
        let config = Config::from_toml("c", &text).unwrap();
        assert_eq!(config.auth.keys[0].hash, keys[1].hash);
        let shown: String = loaded.settings().map(|(.., shown, _)| shown).collect();
        assert!(
            !shown.contains("sha256") && !shown.contains("ss_live"),
            "{shown}"
        );
    }

    #[test]
    fn keys_that_cannot_work_are_said_where_they_stand() {
        let problem = |text: &str| {
            let error = Config::from_toml("c", &format!("[auth]\nkeys = [{text}]\n")).unwrap_err();
            error.problems[0].to_string()
        };
        for (text, at, what) in [
            ("{ name = \"a\" }", "2:9", "\"a\" has neither key nor hash"),
            (
                "{ name = \"a\", key = \"short\" }",
                "2:29",
                "the key of \"a\" has 5 characters",
            ),
            (
                "{ name = \"a b\", key = \"ss_live_0123456789abcdef\" }",
                "2:18",
                "1 to 64 letters",
            ),
            (
                "{ name = \"a\", key = \"sha256:0123456789abcdef\" }",
                "2:29",
                "the key of \"a\" is a hash; write hash",
            ),
            (
                "\"sha256:0123456789abcdef\"",
                "2:9",
                "not \"sha256:\" and 64",
            ),
            ("{ hash = \"sha256:12\" }", "2:18", "not \"sha256:\" and 64"),
            ("{ kee = \"x\" }", "2:11", "unknown key \"kee\""),
            (
                "{ key = \"ss_live_0123456789abcdef\", scopes = [\"raed\"] }",
                "2:55",
                "did you mean \"read\"?",
            ),
        ] {
            let found = problem(text);
            assert!(found.starts_with(&format!("c:{at}: auth.keys")), "{found}");
            assert!(found.contains(what), "{found}");
        }
        for (line, what) in [
            (
                "ops ss_live_0123456789abcdef everything",
                "\"everything\" is no scope",
            ),
            ("ops sha256:0123456789abcdef", "not \"sha256:\" and 64"),
            ("ops short", "the key of \"ops\" has 5 characters"),
            ("a b c d", "expected NAME KEY SCOPE,SCOPE"),
        ] {
            let (at, found) = parse_keys_file(&format!("# one\n{line}\n"), 0).unwrap_err();
            assert!(at == 2 && found.contains(what), "{found}");
        }
    }

    #[test]
    fn keys_are_told_apart() {
        let of = |name: &str, key: &str| ApiKey::new(name, key);
        let (a, b) = ("ss_live_0123456789abcdef", "ss_live_fedcba9876543210");
        assert_eq!(check_apart(&[of("one", a), of("two", b)]), Ok(()));
        let same = check_apart(&[of("one", a), of("one", b)]).unwrap_err();
        assert_eq!(same, "two keys are named \"one\"; rename one");
        let same = check_apart(&[of("one", a), of("two", a)]).unwrap_err();
        assert_eq!(same, "\"one\" and \"two\" are the same key; remove one");
        // Without names they are numbered through.
        assert_eq!(parse_keys_file(a, 2).unwrap()[0].name, "key3");
    }
}
