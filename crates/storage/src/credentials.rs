//! What proves to an object storage who we are.

use std::fmt;

/// An access key. [`fmt::Debug`] shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Public half; by the house's rules not shown either.
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    /// Of temporary credentials.
    pub(crate) session_token: Option<String>,
}

/// Why a file holds no credentials. Shows nothing of what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A line that is neither a section, a comment nor `name = value`.
    #[error("line {0} is not NAME = VALUE")]
    Line(usize),
    /// One half is missing.
    #[error("has no {0}; write {0} = VALUE on a line of its own")]
    Missing(&'static str),
}

impl Credentials {
    /// An access key that lasts.
    #[must_use]
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: None,
        }
    }

    /// Reads a file in the form of `~/.aws/credentials`: the first section that has a key, or lines without a section.
    ///
    /// # Errors
    /// [`CredentialsError`] names the line or what is missing, never a value.
    pub fn from_file_text(text: &str) -> Result<Self, CredentialsError> {
        let (mut id, mut secret, mut token) = (None, None, None);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                if id.is_some() {
                    break;
                }
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .ok_or(CredentialsError::Line(index + 1))?;
            let value = value.trim().to_owned();
            match name.trim() {
                "aws_access_key_id" => id = Some(value),
                "aws_secret_access_key" => secret = Some(value),
                "aws_session_token" => token = Some(value),
                _ => {}
            }
        }
        let filled = |value: Option<String>, name| {
            value
                .filter(|value| !value.is_empty())
                .ok_or(CredentialsError::Missing(name))
        };
        Ok(Self {
            access_key_id: filled(id, "aws_access_key_id")?,
            secret_access_key: filled(secret, "aws_secret_access_key")?,
            session_token: token.filter(|token| !token.is_empty()),
        })
    }

    /// Every text that must not appear anywhere.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.access_key_id, &self.secret_access_key]
            .into_iter()
            .chain(&self.session_token)
            .map(String::as_str)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_common_form_are_read() {
        let text = "# ours\n[default]\naws_access_key_id = AKIAX\naws_secret_access_key=s/ec+ret==\nregion = x\n\n[other]\naws_access_key_id = B\n";
        let plain = "aws_access_key_id=AKIAX\naws_secret_access_key = s/ec+ret==\n";
        let wanted = Credentials::new("AKIAX", "s/ec+ret==");
        assert_eq!(Credentials::from_file_text(text), Ok(wanted.clone()));
        assert_eq!(Credentials::from_file_text(plain), Ok(wanted));
    }

    #[test]
    fn what_is_missing_is_named_and_no_value_shown() {
        let error = |text| Credentials::from_file_text(text).map_err(|error| error.to_string());
        assert_eq!(
            error("AKIAX s3cret"),
            Err("line 1 is not NAME = VALUE".to_owned())
        );
        let missing = "has no aws_secret_access_key; write aws_secret_access_key = VALUE on a line of its own";
        assert_eq!(
            error("aws_access_key_id = AKIAX\n"),
            Err(missing.to_owned())
        );
        let shown = format!("{:?}", Credentials::new("AKIAX", "s3cret"));
        assert_eq!(shown, "Credentials(****)");
    }
}
