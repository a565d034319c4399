//! Where a storage is, as it is written in a configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A place for objects. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// `memory:`: gone with the process; for tests and for those who embed us.
    Memory,
    /// A path or a `file://` URL: a folder, made when it is missing.
    Folder(PathBuf),
    /// `s3://bucket/prefix`.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What all names begin with; may be empty, neither begins nor ends with `/`.
        prefix: String,
    },
}

/// Why a text is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// Nothing is written.
    #[error("is empty; write \"s3://BUCKET/PREFIX\" or a folder")]
    Empty,
    /// A URL of another scheme.
    #[error("has the scheme {0:?}; there are s3, file and memory")]
    Scheme(String),
    /// User and password in the URL: it is shown in logs.
    #[error("has credentials in the URL; put them into a file and name it in credentials_file")]
    Secrets,
    /// No bucket, or none that S3 knows by that name.
    #[error("has no bucket name of 3 to 63 lower case letters, digits, \".\" and \"-\"")]
    Bucket,
    /// A prefix with empty parts, `.`, `..` or control characters.
    #[error("has the prefix {0:?}; its parts must be neither empty nor \".\" nor \"..\"")]
    Prefix(String),
    /// A `file:` URL with a host, or not absolute.
    #[error("is no file URL of this machine; write \"file:///FOLDER\"")]
    FileUrl,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if matches!(text, "memory:" | "memory://") {
            return Ok(Self::Memory);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text.split_once(':') {
                // `C:\` and the like are no schemes of ours.
                Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(is_scheme_byte) => {
                    Err(LocationError::Scheme(scheme.to_owned()))
                }
                _ => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        match scheme {
            "s3" => s3(rest),
            "file" if rest.starts_with('/') => Ok(Self::Folder(PathBuf::from(rest))),
            "file" => Err(LocationError::FileUrl),
            other => Err(LocationError::Scheme(other.to_owned())),
        }
    }
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

fn s3(rest: &str) -> Result<Location, LocationError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(LocationError::Secrets);
    }
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(allowed) {
        return Err(LocationError::Bucket);
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_bad = |part: &str| matches!(part, "" | "." | "..") || part.contains(char::is_control);
    if !prefix.is_empty() && prefix.split('/').any(is_bad) {
        return Err(LocationError::Prefix(prefix.to_owned()));
    }
    Ok(Location::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
    })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_shown() {
        for (text, shown) in [
            ("memory:", "memory:"),
            ("s3://media-live", "s3://media-live"),
            ("s3://media.live/a/b/", "s3://media.live/a/b"),
            ("file:///srv/hls", "/srv/hls"),
            ("hls", "hls"),
            ("./s3:x/y", "./s3:x/y"),
        ] {
            let location = text.parse::<Location>();
            assert_eq!(
                location.map(|l| l.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_location_is_told_why() {
        use LocationError as E;
        let wrong = |text: &str| text.parse::<Location>().err();
        assert_eq!(wrong(""), Some(E::Empty));
        assert_eq!(wrong("gs://bucket"), Some(E::Scheme("gs".to_owned())));
        assert_eq!(wrong("s3:bucket"), Some(E::Scheme("s3".to_owned())));
        assert_eq!(wrong("s3://"), Some(E::Bucket));
        assert_eq!(wrong("s3://Bucket/x"), Some(E::Bucket));
        assert_eq!(wrong("s3://AKIA:secret@bucket"), Some(E::Secrets));
        assert_eq!(
            wrong("s3://bucket/a//b"),
            Some(E::Prefix("a//b".to_owned()))
        );
        assert_eq!(
            wrong("s3://bucket/../b"),
            Some(E::Prefix("../b".to_owned()))
        );
        assert_eq!(wrong("file://host/x"), Some(E::FileUrl));
    }
}
