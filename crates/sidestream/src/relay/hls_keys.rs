//! Which streams' HLS is encrypted, and the secret that keys are made of.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use media::StreamName;
use server::{EncryptionRules, HttpKeyServer, KeyOrigin, KeySecret, StreamEncryption};

use super::Error;
use crate::config::{Config, HlsEncryption};

/// The file of the secret, in the data folder: 32 bytes that only its owner reads. Who loses it
/// loses the keys of all media that is kept.
const FILE: &str = "hls-keys.secret";

#[derive(Debug)]
struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    settings: HlsEncryption,
    encryption: Option<StreamEncryption>,
}

impl EncryptionRules for Rules {
    fn of(&self, name: &StreamName) -> Option<StreamEncryption> {
        let rule = self.0.iter().find(|rule| rule.settings.takes(name))?;
        rule.encryption.clone()
    }
}

/// The rules of a configuration; makes the secret when a rule needs it for the first time.
pub(super) fn rules(config: &Config) -> Result<Option<Arc<dyn EncryptionRules>>, Error> {
    let mut made = None;
    let mut rules = Vec::new();
    for settings in &config.hls.encryption {
        let encryption = match settings.method {
            None => None,
            Some(method) => Some(StreamEncryption {
                method,
                rotation: settings.rotation(),
                keys: if settings.key_url.is_empty() {
                    let secret = match made.take() {
                        Some(secret) => secret,
                        None => secret(&config.storage.data)?,
                    };
                    KeyOrigin::Generated(made.insert(secret).clone())
                } else {
                    let server = HttpKeyServer::new(&settings.key_url, settings.key_timeout);
                    let server = server.map_err(|what| Error::Start {
                        part: "client of the key server",
                        source: io::Error::other(what),
                    })?;
                    KeyOrigin::Server(Arc::new(server))
                },
            }),
        };
        rules.push(Rule {
            settings: settings.clone(),
            encryption,
        });
    }
    let any = rules.iter().any(|rule| rule.encryption.is_some());
    Ok(any.then(|| Arc::new(Rules(rules)) as _))
}

/// The secret in this folder, made at the first call.
fn secret(data: &Path) -> Result<KeySecret, Error> {
    let path = data.join(FILE);
    read_or_make(data, &path)
        .map(KeySecret::new)
        .map_err(|error| Error::SecretFile(format!("hls.encryption: {}: {error}", path.display())))
}

fn read_or_make(data: &Path, path: &Path) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes).map_err(|bytes| {
            io::Error::other(format!(
                "has {} bytes, not 32; restore it, or remove it to begin with new keys",
                bytes.len()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data, path),
        Err(error) => Err(error),
    }
}

/// Whole or not at all: written beside its place, and moved there.
fn make(data: &Path, path: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    fs::create_dir_all(data)?;
    let partial = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&partial)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(data)?.sync_all()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn config(data: &Path, rules: &str) -> Config {
        let text = format!("[storage]\ndata = {:?}\n{rules}", data);
        let loader = crate::config::Loader::new().text("c", &text);
        loader.load().unwrap().config
    }

    fn name(text: &str) -> StreamName {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_rule_that_takes_a_stream_decides() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[[hls.encryption]]\nstream = \"live/open\"\nmethod = \"none\"\n\
                    [[hls.encryption]]\nmatch = \"live/*\"\nmethod = \"cbcs\"\nrotate_segments = 3\n\
                    [[hls.encryption]]\nmatch = \"*\"\nkey_url = \"http://k/{key}\"\n";
        let rules = rules(&config(dir.path(), text)).unwrap().unwrap();
        let method = |text: &str| rules.of(&name(text)).map(|e| e.method);
        assert_eq!(method("live/open"), None);
        assert_eq!(method("live/a"), Some(hls::Method::Cbcs));
        assert_eq!(method("else/a"), Some(hls::Method::Aes128));
        let of_app = rules.of(&name("live/a")).unwrap();
        assert_eq!(
            of_app.rotation,
            hls::Rotation::Segments(3.try_into().unwrap())
        );
        assert!(!format!("{rules:?}").contains("http://k"));
    }

    #[test]
    fn the_secret_is_made_once_and_nobody_else_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new/data");
        assert!(rules(&config(&data, "")).unwrap().is_none());
        assert!(!data.exists(), "not made where it is not needed");
        let text = "[[hls.encryption]]\nmatch = \"*\"\n";
        rules(&config(&data, text)).unwrap().unwrap();
        let path = data.join(FILE);
        let first = fs::read(&path).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        rules(&config(&data, text)).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        fs::write(&path, "short").unwrap();
        let error = rules(&config(&data, text)).unwrap_err().to_string();
        assert!(error.contains("has 5 bytes, not 32"), "{error}");
    }
}
