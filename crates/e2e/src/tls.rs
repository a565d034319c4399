//! Certificates made by openssl for tests.

use crate::process::run_ok;
use crate::wait::secs;
use std::path::Path;
use std::process::Command;

/// Writes a fresh self-signed certificate and key for `localhost` and 127.0.0.1 to `cert` and `key` (PEM).
///
/// # Panics
/// When openssl fails.
pub fn self_signed(common_name: &str, cert: &Path, key: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    openssl.args([
        "-nodes",
        "-days",
        "2",
        "-subj",
        &format!("/CN={common_name}"),
    ]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.arg("-out").arg(cert).arg("-keyout").arg(key);
    run_ok("openssl req", openssl, secs(20));
}

/// The common name of the certificate that a TLS server shows.
///
/// # Panics
/// When the server does not speak TLS.
pub fn shown_name(address: &str) -> String {
    let mut openssl = Command::new("sh");
    let script = format!(
        "openssl s_client -connect {address} -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -subject"
    );
    openssl.args(["-c", &script]);
    let text = run_ok("openssl s_client", openssl, secs(20)).text();
    let name = text.rsplit('=').next().unwrap_or_default();
    name.trim().to_owned()
}
