//! What a server says, made fit for logs and terminals.

use rtmp::Url;

/// Most characters kept.
const MOST_CHARS: usize = 200;
/// Shorter parts of a key hide nothing: hiding them would only garble what the server says.
const SHORTEST: usize = 3;

/// Takes a URL's secrets out of a server's words: servers repeat the key in their refusals.
#[derive(Clone, Debug)]
pub(crate) struct Redact {
    /// Longest first, so that no part of a longer one is left.
    secrets: Vec<String>,
}

impl Redact {
    /// The key, its path and its query, the query's values.
    pub(crate) fn of(url: &Url) -> Self {
        let whole = url.stream_key();
        let (key, query) = whole.split_once('?').unwrap_or((whole, ""));
        let values = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut secrets: Vec<_> = [whole, key, query]
            .into_iter()
            .chain(values.map(|(_, value)| value))
            .filter(|secret| secret.len() >= SHORTEST)
            .map(str::to_owned)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The description, or the code where there is none; shortened, without control characters.
    pub(crate) fn words(&self, code: &str, description: &str) -> String {
        let text = if description.trim().is_empty() {
            code
        } else {
            description
        };
        let printable: String = text.chars().filter(|ch| !ch.is_control()).collect();
        let hide = |text: String, secret: &String| text.replace(secret, "****");
        let hidden = self.secrets.iter().fold(printable, hide);
        hidden.chars().take(MOST_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn redact(url: &str) -> Redact {
        Redact::of(&url.parse().unwrap())
    }

    #[test]
    fn key_query_and_values_are_hidden_wherever_the_server_repeats_them() {
        let redact = redact("rtmp://a.example/live/cam1?token=s3cret&x=1");
        let said = "live/cam1?token=s3cret&x=1 is busy; cam1 with s3cret is busy (1)";
        assert_eq!(
            redact.words("code", said),
            "live/**** is busy; **** with **** is busy (1)"
        );
    }

    #[test]
    fn words_are_short_and_printable() {
        let redact = redact("rtmp://a.example/live/secret");
        assert_eq!(redact.words("Net.Code", " \n"), "Net.Code");
        assert_eq!(redact.words("", "a\x1b[31mb\r\nc"), "a[31mbc");
        assert_eq!(redact.words("", &"\u{e9}".repeat(999)).chars().count(), 200);
    }

    #[test]
    fn control_characters_do_not_hide_a_key() {
        // Taken out before the search, or the key would appear when they go.
        let redact = redact("rtmp://a.example/live/secret");
        assert_eq!(redact.words("", "se\ncret"), "****");
    }
}
