//! Certificates: loaded from PEM files, swapped without dropping a connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why a certificate or its key cannot be used. `Display` says which setting, which file, why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{setting}: {}: {what}", path.display())]
#[non_exhaustive]
pub struct TlsError {
    /// Such as `rtmps.cert`.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub what: String,
}

/// The files of one listener's certificate.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair<'a> {
    /// `rtmps` or `https`.
    pub(crate) section: &'static str,
    pub(crate) cert: &'a Path,
    pub(crate) key: &'a Path,
}

impl KeyPair<'_> {
    /// Reads both files and proves that they belong together.
    pub(crate) fn load(&self) -> Result<CertifiedKey, TlsError> {
        let wrong = |which: &str, path: &Path, what: String| TlsError {
            setting: format!("{}.{which}", self.section),
            path: path.to_owned(),
            what,
        };
        let advice = format!("remove [{}]", self.section);
        let pem = |which: &str, path: &Path, error: &rustls::pki_types::pem::Error| {
            use rustls::pki_types::pem::Error as Pem;
            let what = match error {
                Pem::Io(error) => crate::config::unreadable(error, &advice),
                Pem::NoItemsFound => match which {
                    "cert" => "holds no certificate; expected -----BEGIN CERTIFICATE-----",
                    _ => "holds no private key; expected -----BEGIN PRIVATE KEY-----",
                }
                .to_owned(),
                other => format!("not PEM ({other})"),
            };
            wrong(which, path, what)
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(self.cert)
            .and_then(Iterator::collect)
            .map_err(|error| pem("cert", self.cert, &error))?;
        if chain.is_empty() {
            let error = rustls::pki_types::pem::Error::NoItemsFound;
            return Err(pem("cert", self.cert, &error));
        }
        let key =
            PrivateKeyDer::from_pem_file(self.key).map_err(|error| pem("key", self.key, &error))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let what = match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "does not belong to the certificate {}; use the key it was made with",
                    self.cert.display()
                ),
                other => format!("cannot be used ({other})"),
            };
            wrong("key", self.key, what)
        })
    }
}

/// The provider of cryptography, passed by hand: a library must not set the process's default.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Gives every handshake the certificate of the moment.
#[derive(Debug)]
pub(crate) struct Certificate {
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    pub(crate) fn new(key: CertifiedKey) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::from_pointee(key),
        })
    }

    /// Handshakes from now on use this one.
    pub(crate) fn swap(&self, key: CertifiedKey) {
        self.current.store(Arc::new(key));
    }

    /// A server configuration that speaks `protocols` (ALPN), the preferred first.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        protocols: &[&[u8]],
    ) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write_pair(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, key) = (
            dir.join(format!("{name}.pem")),
            dir.join(format!("{name}.key")),
        );
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (cert, key)
    }

    fn load(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
        let section = "rtmps";
        KeyPair { section, cert, key }
            .load()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_said_with_setting_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = write_pair(dir.path(), "a");
        let (other, _) = write_pair(dir.path(), "b");
        load(&cert, &key).unwrap();
        let error = load(Path::new("/nonexistent/cert.pem"), &key).unwrap_err();
        assert_eq!(
            error,
            "rtmps.cert: /nonexistent/cert.pem: no such file; create it or remove [rtmps]"
        );
        let error = load(&other, &key).unwrap_err();
        assert!(
            error.contains("does not belong to the certificate"),
            "{error}"
        );
        let error = load(&key, &key).unwrap_err();
        assert!(error.contains("holds no certificate"), "{error}");
    }

    #[test]
    fn a_swapped_certificate_is_the_one_resolved() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = write_pair(dir.path(), "a");
        let (cert_b, key_b) = write_pair(dir.path(), "b");
        let certificate = Certificate::new(load(&cert, &key).unwrap());
        let config = certificate.server_config(&[b"h2"]).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2"]);
        let first = certificate.current.load_full().cert.clone();
        certificate.swap(load(&cert_b, &key_b).unwrap());
        assert_ne!(certificate.current.load_full().cert, first);
    }
}
