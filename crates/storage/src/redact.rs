//! Takes secrets out of what storages say: some repeat the access key in their refusals.

use crate::Credentials;

/// Most characters kept of a storage's words.
const MOST_CHARS: usize = 200;

/// What must not be shown.
#[derive(Clone, Default)]
pub(crate) struct Redact {
    secrets: Vec<String>,
}

impl Redact {
    pub(crate) fn of(credentials: Option<&Credentials>) -> Self {
        let secrets = credentials.into_iter().flat_map(Credentials::secrets);
        Self {
            secrets: secrets
                .filter(|secret| !secret.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Shortened, without control characters and secrets.
    pub(crate) fn words(&self, text: &str) -> String {
        let printable: String = text.chars().filter(|ch| !ch.is_control()).collect();
        let hide = |text: String, secret: &String| text.replace(secret, "****");
        let hidden = self.secrets.iter().fold(printable, hide);
        hidden.trim().chars().take(MOST_CHARS).collect()
    }
}

impl std::fmt::Debug for Redact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redact(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_words_are_short() {
        let redact = Redact::of(Some(&Credentials::new("AKIAX", "s3cret")));
        assert_eq!(redact.words(" AKI\nAX with s3cret "), "**** with ****");
        assert_eq!(redact.words(&"x".repeat(999)).len(), 200);
    }
}
