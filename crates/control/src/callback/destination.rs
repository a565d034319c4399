//! Where a callback may go.
//!
//! Whoever may register an endpoint could otherwise make the relay talk to machines that only the relay can reach: the
//! cloud's metadata service, a database, a router's console. The guard looks at *addresses*, after the name was resolved, in
//! the resolver of the connection itself (`PublicResolver`): the address that was looked at is the address that is
//! connected to, so a name that changes between two look-ups (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Longest URL of an endpoint, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Why an endpoint's URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL at all.
    #[error("not a URL: {0}")]
    Unparsable(String),
    /// Neither `http` nor `https`.
    #[error("the scheme is {0}, not http or https")]
    Scheme(String),
    /// User and password would be stored and shown with the URL.
    #[error("user and password in the URL; callbacks are proven by their signature")]
    Credentials,
    /// Longer than 2048 bytes.
    #[error("longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// An address that only this machine or its network can reach.
    #[error("{0} is not a public address; [callbacks] allow_private = true allows it")]
    Private(IpAddr),
    /// `localhost` and names below it.
    #[error("{0} is a name of this machine; [callbacks] allow_private = true allows it")]
    Local(String),
}

/// Checks the URL of an endpoint before it is stored or called. A name is not resolved here.
///
/// # Errors
/// [`Forbidden`] says what is wrong.
pub fn check(url: &str, allow_private: bool) -> Result<Url, Forbidden> {
    if url.len() > MAX_URL_BYTES {
        return Err(Forbidden::TooLong);
    }
    let mut url = Url::parse(url).map_err(|error| Forbidden::Unparsable(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Forbidden::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::Credentials);
    }
    url.set_fragment(None);
    if !allow_private {
        let host = url.host_str().unwrap_or_default();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            if !is_public(address) {
                return Err(Forbidden::Private(address));
            }
        } else {
            let name = host.trim_end_matches('.');
            if name == "localhost" || name.ends_with(".localhost") {
                return Err(Forbidden::Local(name.to_owned()));
            }
        }
    }
    Ok(url)
}

/// True for an address that belongs to the public internet.
///
/// Refused are, by the registries of RFC 6890 and its updates: this host, private, shared (CGNAT), loopback, link-local (and
/// with it the metadata address 169.254.169.254), protocol assignments, documentation, benchmarking, multicast, reserved and
/// broadcast addresses, and IPv6 forms that carry such an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        // Public by its number, but answered inside the cloud only: a provider's platform service.
        || address == Ipv4Addr::new(168, 63, 129, 16)
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let tail = Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match s {
        // mapped ::ffff:a.b.c.d and translated ::ffff:0:a.b.c.d
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => is_public_v4(tail),
        // NAT64 (RFC 6052): the well-known prefix stands for an IPv4 address
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(tail),
        // 6to4 (RFC 3056)
        [0x2002, high, low, ..] => {
            is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        // Teredo, benchmarking, ORCHID and other assignments below 2001::/23; documentation
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // The only global unicast space in use. Unique local, link-local, site-local, multicast, loopback, unspecified and
        // IPv4-compatible addresses lie outside.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names and passes on public addresses only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(public_only(name.as_str(), found)?.into_iter()) as Addrs)
        })
    }
}

fn public_only(name: &str, found: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let count = found.len();
    let public: Vec<_> = found
        .into_iter()
        .filter(|address| is_public(address.ip()))
        .collect();
    if public.is_empty() {
        let text = format!(
            "none of the {count} addresses of {name} is public; [callbacks] allow_private = true allows them"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(public)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_that_only_we_can_reach_are_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "168.63.129.16",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_in_the_url_is_read_in_all_its_spellings() {
        for url in [
            "http://127.0.0.1/cb",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::1]:8080/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
            "https://0/",
        ] {
            assert!(
                matches!(check(url, false), Err(Forbidden::Private(_))),
                "{url}"
            );
            assert!(check(url, true).is_ok(), "{url}");
        }
        for url in [
            "http://localhost/",
            "http://LOCALHOST./",
            "http://db.localhost:1/",
        ] {
            assert!(
                matches!(check(url, false), Err(Forbidden::Local(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        let refused = |url: &str| check(url, true).unwrap_err();
        assert!(matches!(refused("not a url"), Forbidden::Unparsable(_)));
        assert!(matches!(refused("http://"), Forbidden::Unparsable(_)));
        assert_eq!(
            refused("ftp://example.org/"),
            Forbidden::Scheme("ftp".to_owned())
        );
        assert_eq!(
            refused("file:///etc/passwd"),
            Forbidden::Scheme("file".to_owned())
        );
        assert_eq!(
            refused("https://user:pw@example.org/"),
            Forbidden::Credentials
        );
        assert_eq!(
            refused(&format!("https://example.org/{}", "x".repeat(2048))),
            Forbidden::TooLong
        );
        assert_eq!(
            check("https://example.org/cb?x=1#part", false)
                .unwrap()
                .as_str(),
            "https://example.org/cb?x=1"
        );
    }

    #[test]
    fn of_mixed_addresses_the_public_ones_are_used_and_of_private_ones_none() {
        let addresses = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| SocketAddr::new(text.parse().unwrap(), 0))
                .collect::<Vec<_>>()
        };
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "::1"]);
        assert_eq!(
            public_only("mixed.example", mixed).unwrap(),
            addresses(&["8.8.8.8"])
        );
        let error = public_only("inside.example", addresses(&["10.0.0.1", "fe80::1"])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(
            error.to_string().contains("2 addresses of inside.example"),
            "{error}"
        );
    }
}
