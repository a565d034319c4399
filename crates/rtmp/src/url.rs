//! RTMP URLs.

use std::fmt;
use std::str::FromStr;

/// `rtmp` or `rtmps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP; port 1935.
    Rtmp,
    /// TLS; port 443.
    Rtmps,
}

impl Scheme {
    /// The scheme's name in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }

    /// The port when a URL names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Rtmp => 1935,
            Self::Rtmps => 443,
        }
    }
}

/// Why a text is not an RTMP URL. Says nothing of the text, which may hold a stream key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseUrlError {
    /// Neither `rtmp://` nor `rtmps://` at the start.
    #[error("url does not start with rtmp:// or rtmps://")]
    Scheme,
    /// User information before the host.
    #[error("url with a user name or password before the host is not supported")]
    UserInfo,
    /// No host, or one with forbidden characters, or an IPv6 address without its closing bracket.
    #[error("url without a valid host")]
    Host,
    /// A port that is not a number in `1..=65535`.
    #[error("url port is not a number between 1 and 65535")]
    Port,
    /// No application in the path.
    #[error("url without an application: rtmp://host/app/stream")]
    App,
    /// No stream in the path.
    #[error("url without a stream: rtmp://host/app/stream")]
    Stream,
    /// A control character or space.
    #[error("url with a space or control character")]
    Character,
}

/// An RTMP URL: `rtmp[s]://host[:port]/app[/instance …]/stream[?query]`.
///
/// The last part of the path, with everything after it, is the stream; all before it is the
/// application. Nothing is percent-decoded: RTMP servers compare the bytes.
///
/// `Display` and `Debug` hide the stream and its query (`rtmp://a.example/live2/****`): for push
/// targets they are the secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    app: String,
    stream_key: String,
}

impl Url {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host name or address; an IPv6 address without its brackets, ready for a resolver.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, or the scheme's.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// The application: all parts of the path but the last, without slashes around them.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stream: the last part of the path, with its query. Secret: never logged.
    pub fn stream_key(&self) -> &str {
        &self.stream_key
    }

    /// The URL up to the application, as `connect` sends it.
    pub fn tc_url(&self) -> String {
        format!("{}/{}", self.origin(), self.app)
    }

    fn origin(&self) -> String {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!(
            "{}://{open}{}{close}{port}",
            self.scheme.as_str(),
            self.host
        )
    }
}

impl FromStr for Url {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(ParseUrlError::Character);
        }
        let (scheme, rest) = split_scheme(text).ok_or(ParseUrlError::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(ParseUrlError::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        // The query may hold slashes; only the path before it is cut.
        let query_start = path.find('?').unwrap_or(path.len());
        let (path, query) = path.split_at(query_start);
        let path = path.trim_start_matches('/');
        let (app, stream) = path.rsplit_once('/').unwrap_or((path, ""));
        let app = app.trim_end_matches('/');
        if app.is_empty() {
            return Err(ParseUrlError::App);
        }
        if stream.is_empty() {
            return Err(ParseUrlError::Stream);
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            app: app.to_owned(),
            stream_key: format!("{stream}{query}"),
        })
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = [Scheme::Rtmp, Scheme::Rtmps]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))?;
    Some((scheme, rest))
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), ParseUrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(ParseUrlError::Host)?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| ParseUrlError::Host)?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or(ParseUrlError::Host)?),
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || host.contains(['?', '#', '\\', '[', ']', '%', '"', '<', '>']) {
        return Err(ParseUrlError::Host);
    }
    let port = match port {
        None => None,
        Some(digits) => {
            let number = digits.parse().map_err(|_| ParseUrlError::Port)?;
            if number == 0 || digits.starts_with('+') {
                return Err(ParseUrlError::Port);
            }
            Some(number)
        }
    };
    Ok((host, port))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The application may carry a token as well, but it is what tells targets apart.
        write!(f, "{}/{}/****", self.origin(), self.app)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests;
