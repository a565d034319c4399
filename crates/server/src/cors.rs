//! Who may use media from other sites: CORS (Fetch standard §3.2) for playback, errors included.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue};

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Methods of everything that is played.
pub(crate) const MEDIA_METHODS: &str = "GET, HEAD, OPTIONS";

/// The origins that may play.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    any: bool,
    origins: Vec<String>,
}

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        let tidy = |origin: &String| origin.trim().trim_end_matches('/').to_ascii_lowercase();
        Self {
            any: origins.iter().any(|origin| origin.trim() == "*"),
            origins: origins.iter().map(tidy).collect(),
        }
    }

    /// The value of `Access-Control-Allow-Origin` for this origin, if it may.
    fn allow(&self, origin: Option<&str>) -> Option<HeaderValue> {
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        let origin = origin?;
        let listed = self
            .origins
            .iter()
            .any(|known| known.eq_ignore_ascii_case(origin));
        listed.then(|| HeaderValue::from_str(origin).ok()).flatten()
    }

    /// Whether a script of this origin may read what we send. What comes without an origin is no
    /// script of another site. WebSockets are not held back by browsers, so we ask here.
    pub(crate) fn admits(&self, origin: Option<&str>) -> bool {
        origin.is_none() || self.allow(origin).is_some()
    }

    /// Adds what every answer of playback carries.
    pub(crate) fn apply(&self, origin: Option<&str>, headers: &mut HeaderMap) {
        if !self.any {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = self.allow(origin) {
            headers.insert(TIMING_ALLOW_ORIGIN, allowed.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Content-Length, Content-Range, Date, ETag"),
            );
            headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        }
    }

    /// Adds what a preflight asks for.
    pub(crate) fn apply_preflight(headers: &mut HeaderMap) {
        let methods = HeaderValue::from_static(MEDIA_METHODS);
        headers.insert(ALLOW, methods.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("*, Range, If-None-Match, If-Range, Accept, Cache-Control"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }

    /// The same headers as lines of a response head.
    pub(crate) fn lines(&self, origin: Option<&str>) -> Box<str> {
        let mut headers = HeaderMap::new();
        self.apply(origin, &mut headers);
        let mut lines = String::new();
        for (name, value) in &headers {
            if let Ok(value) = value.to_str() {
                lines.push_str(name.as_str());
                lines.push_str(": ");
                lines.push_str(value);
                lines.push_str("\r\n");
            }
        }
        lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_are_named_and_others_get_nothing() {
        let cors = Cors::new(&["https://a.example/".to_owned()]);
        let lines = cors.lines(Some("https://a.example"));
        assert!(lines.contains("access-control-allow-origin: https://a.example\r\n"));
        assert!(lines.contains("vary: Origin\r\n"));
        assert_eq!(&*cors.lines(Some("https://b.example")), "vary: Origin\r\n");
        assert!(cors.admits(None) && !cors.admits(Some("null")));
    }

    #[test]
    fn no_origin_can_break_the_head() {
        let cors = Cors::new(&["*".to_owned()]);
        let lines = cors.lines(Some("x\r\nset-cookie: a=b"));
        assert!(lines.contains("access-control-allow-origin: *\r\n"));
        assert!(!lines.contains("set-cookie"));
    }
}
