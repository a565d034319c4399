//! Who may use the API.
//!
//! Until a key is configured, the machine itself: the socket's own peer must be a loopback
//! address, whatever headers say. Two ways around that are closed as well: a reverse proxy on
//! this machine (it says so in a header), and a page whose name resolves to this machine (its
//! `Host` is a name we do not know).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use http::header::{AUTHORIZATION, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderValue, Method};

use crate::error::{Problem, Reason};
use crate::state::{self, Shared, authority_of_url, peer_addr, without_port};

/// What a key is good for. `admin` includes all others, `control` includes `publish` and `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Asks for credentials to publish with.
    Publish,
    /// Starts, stops, changes and removes.
    Control,
    /// Reads.
    Read,
    /// Changes what concerns everybody: policy, callbacks, billing, the configuration.
    Admin,
}

impl Scope {
    const ALL: [Self; 4] = [Self::Publish, Self::Control, Self::Read, Self::Admin];

    /// The word of the configuration and of answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Control => "control",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    fn includes(self, other: Self) -> bool {
        self == other || self == Self::Admin || (self == Self::Control && other != Self::Admin)
    }
}

/// Who asks, and what they may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    name: Arc<str>,
    scopes: Vec<Scope>,
}

impl Grant {
    /// A key's name, which is no secret, and its scopes.
    #[must_use]
    pub fn new(name: &str, scopes: &[Scope]) -> Self {
        Self {
            name: name.into(),
            scopes: scopes.to_vec(),
        }
    }

    /// Everything.
    #[must_use]
    pub fn all(name: &str) -> Self {
        Self::new(name, &[Scope::Admin])
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words of its own scopes; wider ones include lesser ones.
    pub(super) fn scopes(&self) -> Vec<&'static str> {
        self.scopes.iter().map(|scope| scope.as_str()).collect()
    }

    /// Whether this may be asked for.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| own.includes(scope))
    }
}

/// Decides over API keys. Must not block.
pub trait Keys: Send + Sync + 'static {
    /// Whether keys are configured: from then on every request needs one, from anywhere.
    fn required(&self) -> bool;

    /// Whether this is a valid key; compare in constant time ([`FixedKeys`] does).
    fn verify(&self, presented: &str) -> bool;

    /// Whose key this is and what it is good for; without scopes of their own, keys are good for
    /// everything.
    fn grant(&self, presented: &str) -> Option<Grant> {
        self.verify(presented).then(|| Grant::all("key"))
    }
}

/// No keys: loopback only.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenMode;

impl Keys for OpenMode {
    fn required(&self) -> bool {
        false
    }

    fn verify(&self, _presented: &str) -> bool {
        false
    }
}

/// A list of keys in memory.
#[derive(Clone)]
pub struct FixedKeys {
    keys: Vec<Box<str>>,
    required: bool,
}

impl FixedKeys {
    /// These keys, one of which every request needs. Empty ones are left out.
    #[must_use]
    pub fn required(keys: impl IntoIterator<Item = String>) -> Self {
        Self::new(keys, true)
    }

    /// These keys open the API from anywhere, while loopback still needs none.
    #[must_use]
    pub fn beside_loopback(keys: impl IntoIterator<Item = String>) -> Self {
        Self::new(keys, false)
    }

    fn new(keys: impl IntoIterator<Item = String>, required: bool) -> Self {
        let keys = keys.into_iter().filter(|key| !key.is_empty());
        Self {
            keys: keys.map(String::into_boxed_str).collect(),
            required,
        }
    }
}

impl Keys for FixedKeys {
    fn required(&self) -> bool {
        self.required
    }

    fn verify(&self, presented: &str) -> bool {
        // All keys are compared, so that the time does not tell which one came near.
        self.keys
            .iter()
            .fold(false, |found, key| found | same(key, presented))
    }
}

impl std::fmt::Debug for FixedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FixedKeys({} keys)", self.keys.len())
    }
}

/// Compares in a time that depends on the lengths only.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let difference = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

/// Headers by which a proxy says that it speaks for somebody else.
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("via"),
];

/// Lets a request to `/v1` through, or says why not.
pub(crate) fn admit(shared: &Shared, request: &Request) -> Result<Grant, Problem> {
    let admitted =
        authorise(shared, request).and_then(|grant| same_site(shared, request).map(|()| grant));
    admitted.inspect_err(|problem| {
        shared.counters.reject(match problem.reason {
            Reason::UNAUTHENTICATED => "api-key",
            _ => "api-access",
        });
    })
}

/// Whether the API would answer this request.
pub(crate) fn is_operator(shared: &Shared, request: &Request) -> bool {
    authorise(shared, request).is_ok()
}

fn authorise(shared: &Shared, request: &Request) -> Result<Grant, Problem> {
    let presented = request.headers().get(AUTHORIZATION);
    if let Some(value) = presented {
        let text = value.to_str().unwrap_or_default();
        let key = text
            .split_once(' ')
            .and_then(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer").then(|| key.trim()));
        return match key {
            Some(key) => shared
                .keys
                .grant(key)
                .ok_or_else(|| unauthenticated("the key in the Authorization header is not valid")),
            None => Err(unauthenticated(
                "the Authorization header is not \"Bearer KEY\"",
            )),
        };
    }
    if shared.keys.required() {
        let detail = "no Authorization header; send \"Authorization: Bearer KEY\"";
        return Err(unauthenticated(detail));
    }
    let peer = peer_addr(request.extensions());
    let is_loopback = peer.is_some_and(|peer| is_loopback(peer.ip()));
    let is_forwarded = FORWARDED
        .iter()
        .any(|name| request.headers().contains_key(name));
    if !is_loopback || is_forwarded {
        let detail = "without API keys /v1 answers this machine only; use \
                      ssh -L 8080:localhost:8080 HOST, or set [auth] keys";
        return Err(Problem::new(Reason::PERMISSION_DENIED, detail));
    }
    let authority = state::Request::of(request).authority().unwrap_or_default();
    let host = without_port(authority);
    if !is_local_host(host) && !shared.is_public_host(host) {
        let detail = "without API keys /v1 answers to localhost, IP addresses and the host of \
                      http.public_url; the Host header names another one";
        return Err(Problem::new(Reason::PERMISSION_DENIED, detail));
    }
    Ok(Grant::all("this machine"))
}

/// Whether a grant covers what a route needs.
pub(super) fn check_scope(grant: &Grant, scope: Scope) -> Result<(), Problem> {
    if grant.allows(scope) {
        return Ok(());
    }
    let has: Vec<&str> = grant.scopes.iter().map(|scope| scope.as_str()).collect();
    let detail = format!(
        "this needs the scope {}; the key \"{}\" has {}",
        scope.as_str(),
        grant.name,
        if has.is_empty() {
            "none".to_owned()
        } else {
            has.join(", ")
        }
    );
    Err(Problem::new(Reason::PERMISSION_DENIED, detail))
}

fn unauthenticated(detail: &str) -> Problem {
    let value = HeaderValue::from_static("Bearer realm=\"sidestream\"");
    Problem::new(Reason::UNAUTHENTICATED, detail).with(WWW_AUTHENTICATE, value)
}

/// Pages of other sites cannot read answers (there is no CORS here); they must not cause changes
/// either.
fn same_site(shared: &Shared, request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let refused = || {
        let detail = "changes from pages of another origin are refused";
        Problem::new(Reason::PERMISSION_DENIED, detail)
    };
    let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    if let Some(site) = header(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return Err(refused());
    }
    if request.headers().contains_key(ORIGIN) {
        let origin = header(ORIGIN).and_then(authority_of_url);
        if !origin
            .is_some_and(|origin| shared.is_own_authority(origin, &state::Request::of(request)))
        {
            return Err(refused());
        }
    }
    Ok(())
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

/// Names that no DNS answer can point here, and addresses, which need none.
fn is_local_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_whole_or_wrong() {
        let keys = FixedKeys::required(["ss_live_a".to_owned(), String::new()]);
        assert!(keys.verify("ss_live_a"));
        for wrong in ["", "ss_live_", "ss_live_b", "ss_live_aa", "SS_LIVE_A"] {
            assert!(!keys.verify(wrong), "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("ss_live"));
    }

    #[test]
    fn scopes_include_lesser_ones() {
        use Scope::{Admin, Control, Publish, Read};
        for (own, allowed) in [
            (&[Publish][..], &[Publish][..]),
            (&[Read], &[Read]),
            (&[Control], &[Publish, Control, Read]),
            (&[Admin], &[Publish, Control, Read, Admin]),
            (&[Publish, Read], &[Publish, Read]),
            (&[], &[]),
        ] {
            let grant = Grant::new("k", own);
            let all = Scope::ALL.into_iter();
            let found: Vec<Scope> = all.filter(|scope| grant.allows(*scope)).collect();
            assert_eq!(found, allowed, "{own:?}");
        }
        assert!(
            Scope::ALL
                .iter()
                .all(|s| Scope::parse(s.as_str()) == Some(*s))
        );
        assert_eq!(Scope::parse("Admin"), None);
    }

    #[test]
    fn loopback_in_every_spelling() {
        for (ip, want) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.168.1.2", false),
            ("::ffff:10.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(ip.parse().map(is_loopback), Ok(want), "{ip}");
        }
        assert!(is_local_host("LocalHost") && is_local_host("[::1]") && is_local_host("10.0.0.1"));
        assert!(!is_local_host("localhost.evil.example") && !is_local_host(""));
    }
}
