//! Addresses with the number of a stream in them.

use anyhow::{Context as _, bail};

/// Where a viewer or publisher goes.
pub(crate) enum Target {
    Rtmp(rtmp::Url),
    Http(Http),
}

/// An `http://` address.
pub(crate) struct Http {
    /// Host and port, as the connection and the `Host` field need it.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Target {
    /// Parses `template` with `{}` replaced by `stream`.
    pub(crate) fn parse(template: &str, stream: u32) -> anyhow::Result<Self> {
        let text = template.replace("{}", &stream.to_string());
        if let Some(rest) = text.strip_prefix("http://") {
            let (authority, path) = rest.split_once('/').context("an address without a path")?;
            let authority = match authority.contains(':') {
                true => authority.to_owned(),
                false => format!("{authority}:80"),
            };
            return Ok(Self::Http(Http {
                authority,
                path: format!("/{path}"),
            }));
        }
        let url: rtmp::Url = text
            .parse()
            .with_context(|| format!("{template}: neither http:// nor an RTMP address"))?;
        if url.scheme() != rtmp::Scheme::Rtmp {
            bail!("rtmps is not measured here");
        }
        Ok(Self::Rtmp(url))
    }
}
