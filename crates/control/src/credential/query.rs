//! What follows `?` in a stream key or a URL.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// Most parameters that are looked at. Bounds: the work that one long query makes.
const MAX_PARAMETERS: usize = 64;

/// Parameters whose values are secrets.
const SECRET_PARAMETERS: [&str; 8] = [
    "txSecret", "key", "pwd", "password", "token", "usersig", "sign", "secret",
];

/// The parameters of a query, percent-decoded once. A `+` stays a `+`: base64 arrives unescaped.
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads `a=1&b=2`. Parts without `=` have an empty value; what is not UTF-8 after decoding
    /// is replaced by U+FFFD; parameters after the 64th are not seen.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let parts = text.split('&').filter(|part| !part.is_empty());
        let pairs = parts.take(MAX_PARAMETERS).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_ref())
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(key, _)| key))
            .finish()
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// A query for logs and answers: the values of secrets are `****`.
#[must_use]
pub fn masked(query: &str) -> String {
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((name, _)) if is_secret(&decode(name)) => format!("{name}=****"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

fn is_secret(name: &str) -> bool {
    SECRET_PARAMETERS
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_the_first_counts() {
        let query = Query::parse("a=1&b=%2541&a=2&c&userid=YW+/==&&%64=x");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("%41"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.get("userid"), Some("YW+/=="));
        assert_eq!(query.get("d"), Some("x"));
        assert_eq!(query.get("e"), None);
    }

    #[test]
    fn secrets_are_masked_also_when_their_name_is_escaped() {
        assert_eq!(
            masked("txSecret=ab&txTime=5C271099&%6bey=1&PWD=2&x"),
            "txSecret=****&txTime=5C271099&%6bey=****&PWD=****&x"
        );
        let shown = format!("{:?}", Query::parse("pwd=hidden&n=alsohidden"));
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn a_flood_of_parameters_is_cut() {
        let text = "a=1&".repeat(10_000) + "z=1";
        assert_eq!(Query::parse(&text).get("z"), None);
    }
}
