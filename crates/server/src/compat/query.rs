//! Parameters of a query, as the classic faces read them: the last of a name counts.

use std::collections::BTreeMap;

use crate::api::decoded;

/// Parameters by name.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// What cannot be decoded is left out.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name, true)?, decoded(value, true)?))
        });
        Self(pairs.filter(|(name, _)| !name.is_empty()).collect())
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.get(name).map(String::as_str);
        found.filter(|text| !text.is_empty())
    }

    /// A parameter that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}
