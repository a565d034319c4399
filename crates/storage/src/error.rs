//! What went wrong at a storage, as one sentence without secrets.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use crate::redact::Redact;

/// Why a storage did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    what: Box<str>,
}

/// What to make of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nobody answers, or not in time: it may answer later.
    Unreachable,
    /// It does not know these credentials.
    Credentials,
    /// It knows them, and they may not do this; or a folder belongs to somebody else.
    Denied,
    /// There is no such bucket.
    NoBucket,
    /// There is no such object.
    NotFound,
    /// No space is left.
    Full,
    /// It answers that it is overloaded or broken: it may do it later.
    Busy,
    /// The settings can never work.
    Settings,
    /// Anything else.
    Other,
}

impl Kind {
    /// One word for logs, metrics and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Credentials => "credentials",
            Self::Denied => "denied",
            Self::NoBucket => "no_bucket",
            Self::NotFound => "not_found",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::Settings => "settings",
            Self::Other => "other",
        }
    }
}

impl Error {
    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn new(kind: Kind, what: impl Into<Box<str>>) -> Self {
        let what = what.into();
        Self { kind, what }
    }

    pub(crate) fn late(seconds: u64) -> Self {
        Self::new(Kind::Unreachable, format!("no answer within {seconds} s"))
    }

    /// Reads what `object_store` says: its text repeats the whole request and answer, so only what the storage's own code
    /// and the innermost cause say is kept.
    pub(crate) fn of(error: &object_store::Error, redact: &Redact) -> Self {
        let innermost = innermost(error);
        if let Some(io) = innermost.downcast_ref::<io::Error>() {
            return Self::of_io(io, redact);
        }
        let text = error.to_string();
        let code = element(&text, "Code");
        let by_code = code.and_then(by_code);
        let kind = match error {
            _ if by_code.is_some() => by_code.map_or(Kind::Other, |(kind, _)| kind),
            object_store::Error::NotFound { .. } => Kind::NotFound,
            object_store::Error::PermissionDenied { .. } => Kind::Denied,
            object_store::Error::Unauthenticated { .. } => Kind::Credentials,
            _ if text.contains("status 5") || text.contains("status 429") => Kind::Busy,
            _ if breaks_off(error) => Kind::Unreachable,
            _ => Kind::Other,
        };
        let words = match (by_code, kind) {
            (Some((_, words)), _) => words.to_owned(),
            (None, Kind::NotFound) => "no such object".to_owned(),
            (None, Kind::Denied) => "access denied".to_owned(),
            (None, Kind::Credentials) => "it does not accept the credentials".to_owned(),
            (None, _) => match element(&text, "Message") {
                Some(message) => redact.words(message),
                None => redact.words(&innermost.to_string()),
            },
        };
        match code {
            Some(code) => Self::new(kind, format!("{words} ({})", redact.words(code))),
            None => Self::new(kind, words),
        }
    }

    pub(crate) fn of_io(error: &io::Error, redact: &Redact) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut
            | io::ErrorKind::UnexpectedEof => Kind::Unreachable,
            _ => Kind::Other,
        };
        let text = error.to_string();
        // "Connection refused (os error 111)"
        let words = text.split(" (os error").next().unwrap_or(&text);
        Self::new(kind, redact.words(words).to_lowercase())
    }
}

/// What the codes mean that operators meet (Amazon S3 API Reference, Error Responses).
fn by_code(code: &str) -> Option<(Kind, &'static str)> {
    Some(match code {
        "InvalidAccessKeyId" | "NotSignedUp" => {
            (Kind::Credentials, "it does not know the access key")
        }
        "SignatureDoesNotMatch" => (Kind::Credentials, "the secret key is wrong"),
        "ExpiredToken" | "InvalidToken" => (Kind::Credentials, "the session token has expired"),
        "RequestTimeTooSkewed" => (
            Kind::Credentials,
            "the clocks differ too much; set this machine's",
        ),
        "AccessDenied" | "AllAccessDisabled" => (Kind::Denied, "access denied"),
        "NoSuchBucket" => (Kind::NoBucket, "no such bucket"),
        "NoSuchKey" => (Kind::NotFound, "no such object"),
        "SlowDown" | "ServiceUnavailable" | "InternalError" => (Kind::Busy, "it is overloaded"),
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => (
            Kind::Settings,
            "the bucket is in another region; set region",
        ),
        _ => return None,
    })
}

/// The text of an XML element without attributes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// The connection gave no whole answer.
fn breaks_off(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(http) = one.downcast_ref::<HttpError>() {
            return matches!(
                http.kind(),
                HttpErrorKind::Connect
                    | HttpErrorKind::Request
                    | HttpErrorKind::Timeout
                    | HttpErrorKind::Interrupted
            );
        }
        cause = one.source();
    }
    false
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn codes_of_the_storage_become_sentences() {
        let redact = Redact::of(Some(&Credentials::new("AKIAX", "s3cret")));
        let xml = "Client error with status 403: <Error><Code>SignatureDoesNotMatch</Code><Message>AKIAX s3cret</Message></Error>";
        let error = Error::of(&generic(xml), &redact);
        assert_eq!(error.kind(), Kind::Credentials);
        assert_eq!(
            error.to_string(),
            "the secret key is wrong (SignatureDoesNotMatch)"
        );
    }

    #[test]
    fn unknown_codes_keep_the_storages_words_without_secrets() {
        let redact = Redact::of(Some(&Credentials::new("AKIAX", "s3cret")));
        let xml = "Server error with status 507: <Error><Code>XMinio</Code><Message>AKIAX: full</Message></Error>";
        let error = Error::of(&generic(xml), &redact);
        assert_eq!(error.kind(), Kind::Busy);
        assert_eq!(error.to_string(), "****: full (XMinio)");
    }

    #[test]
    fn causes_of_the_system_are_told_in_its_words() {
        let io = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = object_store::Error::Generic {
            store: "S3",
            source: io.into(),
        };
        let error = Error::of(&error, &Redact::default());
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Unreachable, "connection refused")
        );
    }

    #[test]
    fn a_connection_that_breaks_off_is_one_to_a_storage_that_is_not_there() {
        let of = |kind| {
            let cause = HttpError::new(kind, fmt::Error);
            let error = object_store::Error::Generic {
                store: "S3",
                source: Box::new(cause),
            };
            Error::of(&error, &Redact::default()).kind()
        };
        assert_eq!(of(HttpErrorKind::Interrupted), Kind::Unreachable);
        assert_eq!(of(HttpErrorKind::Timeout), Kind::Unreachable);
        assert_eq!(of(HttpErrorKind::Decode), Kind::Other);
    }
}
