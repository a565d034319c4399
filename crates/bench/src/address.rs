//! Addresses, with the number of a stream in them.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// An address in which `{}` stands for the number of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// How media comes from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP or RTMPS.
    Rtmp,
    /// FLV over HTTP or HTTPS.
    HttpFlv,
    /// FLV over WebSocket.
    WebSocketFlv,
    /// HLS with segments of MPEG-TS or fMP4.
    Hls,
    /// The reference server's chunk stream, without any protocol.
    Raw,
}

impl Protocol {
    /// How people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "RTMP",
            Self::HttpFlv => "HTTP-FLV",
            Self::WebSocketFlv => "WebSocket-FLV",
            Self::Hls => "HLS",
            Self::Raw => "raw",
        }
    }
}

/// Where one connection goes.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    pub(crate) tls: bool,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as the `Host` field needs them.
    pub(crate) authority: String,
    /// Path and query; empty unless HTTP.
    pub(crate) path: String,
    /// What an RTMP session needs.
    pub(crate) rtmp: Option<rtmp::Url>,
}

impl Template {
    /// The address of a stream.
    pub(crate) fn address(&self, stream: u32) -> Result<Address, Error> {
        Address::parse(&self.0.replace("{}", &stream.to_string()))
    }

    /// The protocol of its viewers.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.address(0)
            .map_or(Protocol::Raw, |address| address.protocol)
    }

    /// Whether it tells streams apart.
    #[must_use]
    pub fn has_number(&self) -> bool {
        self.0.contains("{}")
    }
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let template = Self(text.to_owned());
        template.address(0)?;
        Ok(template)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Url {
            url: text.to_owned(),
            what: what.to_owned(),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("no scheme; write rtmp://, http://, ws:// or raw://"))?;
        let (http, tls) = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" | "rtmps" => return Self::of_rtmp(text),
            "raw" => (None, false),
            "http" => (Some(Protocol::HttpFlv), false),
            "https" => (Some(Protocol::HttpFlv), true),
            "ws" => (Some(Protocol::WebSocketFlv), false),
            "wss" => (Some(Protocol::WebSocketFlv), true),
            _ => {
                return Err(wrong(
                    "unknown scheme; write rtmp[s]://, http[s]://, ws[s]:// or raw://",
                ));
            }
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default = match (http, tls) {
            (None, _) => None,
            (_, false) => Some(80),
            (_, true) => Some(443),
        };
        let (host, port) =
            split_authority(authority, default).ok_or_else(|| wrong("not a host and a port"))?;
        let is_playlist = path
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .ends_with(".m3u8");
        Ok(Self {
            protocol: match http {
                None => Protocol::Raw,
                Some(Protocol::HttpFlv) if is_playlist => Protocol::Hls,
                Some(protocol) => protocol,
            },
            tls,
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            path: format!("/{path}"),
            rtmp: None,
        })
    }

    fn of_rtmp(text: &str) -> Result<Self, Error> {
        let url: rtmp::Url = text
            .parse()
            .map_err(|error: rtmp::ParseUrlError| Error::Url {
                url: text.to_owned(),
                what: error.to_string(),
            })?;
        Ok(Self {
            protocol: Protocol::Rtmp,
            tls: url.scheme() == rtmp::Scheme::Rtmps,
            host: url.host().to_owned(),
            port: url.port(),
            authority: format!("{}:{}", url.host(), url.port()),
            path: String::new(),
            rtmp: Some(url),
        })
    }

    /// The address of something that a playlist or an answer names, on the same server.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, Error> {
        if reference.contains("://") {
            return Self::parse(reference);
        }
        let mut joined = self.clone();
        joined.path = if reference.starts_with('/') {
            reference.to_owned()
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
            format!("{folder}{reference}")
        };
        Ok(joined)
    }
}

fn split_authority(authority: &str, default: Option<u16>) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(digits) => digits.parse().ok()?,
        None => default?,
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_number_of_the_stream_is_put_in_and_the_protocol_known() {
        for (text, protocol, tls, port) in [
            ("rtmp://h/live/s{}", Protocol::Rtmp, false, 1935),
            ("rtmps://h:1/live/s{}", Protocol::Rtmp, true, 1),
            ("http://h/live/s{}.flv?a=1", Protocol::HttpFlv, false, 80),
            ("https://h/live/s{}.m3u8?a=1", Protocol::Hls, true, 443),
            ("http://h:8080/live/s{}.ts.m3u8", Protocol::Hls, false, 8080),
            (
                "ws://h:8080/live/s{}.flv",
                Protocol::WebSocketFlv,
                false,
                8080,
            ),
            ("raw://h:9", Protocol::Raw, false, 9),
        ] {
            let template: Template = text.parse().unwrap();
            let address = template.address(7).unwrap();
            assert_eq!((address.protocol, address.tls), (protocol, tls), "{text}");
            assert_eq!((address.host.as_str(), address.port), ("h", port), "{text}");
            if !address.path.trim_matches('/').is_empty() {
                assert!(address.path.starts_with("/live/s7."), "{}", address.path);
            }
        }
        let v6: Template = "http://[::1]:8080/a.flv".parse().unwrap();
        assert_eq!(v6.address(0).unwrap().host, "::1");
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("live/cam", "no scheme"),
            ("srt://h/x", "unknown scheme"),
            ("raw://h", "not a host and a port"),
            ("http://:80/x.flv", "not a host and a port"),
            ("rtmp://h/live", "stream"),
        ] {
            let error = text.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn references_are_joined_as_browsers_do() {
        let base = Address::parse("http://h:8080/live/cam.m3u8?x=/y").unwrap();
        let join = |reference| base.join(reference).unwrap();
        assert_eq!(join("cam/1.ts").path, "/live/cam/1.ts");
        assert_eq!(join("/a/1.ts").path, "/a/1.ts");
        let other = join("https://cdn/1.ts");
        assert_eq!(
            (other.host.as_str(), other.port, other.tls),
            ("cdn", 443, true)
        );
    }
}
