//! How a target is reached and how long things may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

/// Settings of a connection to a remote server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Most media time a target may lag before it goes on at the next random access point.
    pub queue: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// How long resolving, connecting and the TLS handshake may take, each.
    pub connect_timeout: Duration,
    /// A write that makes no progress for this long ends the connection: the remote server does
    /// not read, whatever its socket says.
    pub write_timeout: Duration,
    /// What a remote server may send.
    pub limits: rtmp::Limits,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Where this relay itself takes RTMP: a target there with the stream's own name is a loop.
    pub own_listeners: Vec<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue: Duration::from_secs(10),
            retry_max: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            limits: rtmp::Limits::default(),
            trust: Trust::default(),
            own_listeners: Vec::new(),
        }
    }
}

/// Whose certificates are believed for RTMPS; cheap to clone.
#[derive(Clone)]
pub struct Trust {
    pub(crate) client: Arc<rustls::ClientConfig>,
}

impl Trust {
    /// The certification authorities that browsers believe (Mozilla's list), and `extra` ones.
    ///
    /// # Errors
    /// When one of `extra` is not a certificate, or the process has no TLS provider.
    pub fn with(
        extra: impl IntoIterator<Item = rustls_pki_types::CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in extra {
            roots.add(certificate)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            client: Arc::new(client),
        })
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::with([]).expect("the built-in roots and protocol versions are valid")
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}
