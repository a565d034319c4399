//! What can only be known by looking at the machine: files, folders, key pairs.

use std::path::Path;

use super::api_key::{check_apart, parse_keys_file};
use super::load::unreadable;
use super::problem::Problem;
use super::{ApiKey, Config, Loaded, Push};
use crate::relay::KeyPair;

impl Loaded {
    /// Looks at every file the configuration names; opens no port. Empty: all is well.
    #[must_use]
    pub fn inspect(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let config = &self.config;
        let pairs = [
            ("rtmps", &config.rtmps.cert, &config.rtmps.key),
            ("https", &config.https.cert, &config.https.key),
        ];
        for (section, cert, key) in pairs {
            if let (Some(cert), Some(key)) = (cert, key)
                && let Err(error) = (KeyPair { section, cert, key }).load()
            {
                problems.push(self.problem(&error.setting, error.to_string()));
            }
        }
        if let Err((setting, what)) = config.read_keys() {
            problems.push(self.problem(setting, what));
        }
        if let Err((setting, what)) = config.auth.admission() {
            problems.push(self.problem(&setting, what));
        }
        for (index, push) in config.push.iter().enumerate() {
            if let Err(what) = push.key() {
                problems.push(self.problem(&format!("push.{index}.key_file"), what));
            }
        }
        if let Err(error) = crate::relay::control::settings(config) {
            let what = format!("control.policy: {}", error.detail);
            problems.push(self.problem("control.policy", what));
        }
        for (index, endpoint) in config.callbacks.endpoint.iter().enumerate() {
            if endpoint.secret_file.is_some()
                && let Err(what) = endpoint.secret()
            {
                let setting = format!("callbacks.endpoint.{index}.secret_file");
                problems.push(self.problem(&setting, what));
            }
        }
        if let Err((setting, what)) = config.mirror.credentials() {
            problems.push(self.problem(setting, what));
        }
        if let Err(what) = writable(&config.storage.data) {
            problems.push(self.problem("storage.data", what));
        }
        problems
    }
}

impl Config {
    /// The API keys of `auth.keys` and of `auth.keys_file`.
    ///
    /// # Errors
    /// One sentence: the setting, the file, what is wrong.
    pub fn api_keys(&self) -> Result<Vec<ApiKey>, String> {
        self.read_keys().map_err(|(_, what)| what)
    }

    /// As [`Config::api_keys`]; an error has the setting in front.
    fn read_keys(&self) -> Result<Vec<ApiKey>, (&'static str, String)> {
        let mut keys = self.auth.keys.clone();
        let mut setting = "auth.keys";
        if let Some(path) = &self.auth.keys_file {
            setting = "auth.keys_file";
            let wrong = |what| (setting, format!("{setting}: {}{what}", path.display()));
            let text = read(path).map_err(|what| wrong(format!(": {what}")))?;
            let more = parse_keys_file(&text, keys.len());
            keys.extend(more.map_err(|(line, what)| wrong(format!(":{line}: {what}")))?);
        }
        check_apart(&keys).map_err(|what| (setting, format!("{setting}: {what}")))?;
        Ok(keys)
    }
}

impl Push {
    /// The stream key of `key_file`: its first line.
    ///
    /// # Errors
    /// One sentence: the setting, the file, what is wrong.
    pub fn key(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.key_file else {
            return Ok(None);
        };
        let wrong = |what: String| format!("push.key_file: {}: {what}", path.display());
        let text = read(path).map_err(wrong)?;
        match text.lines().next().map(str::trim) {
            Some(key) if !key.is_empty() => Ok(Some(key.to_owned())),
            _ => Err(wrong(
                "the first line is empty, expected the stream key".to_owned(),
            )),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| unreadable(&error, "remove the setting"))
}

/// Whether the folder, or the nearest one above it that exists, takes new files.
fn writable(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(existing) = folder.ancestors().find(|path| path.exists()) else {
        return Ok(());
    };
    if !existing.is_dir() {
        let existing = existing.display();
        return Err(format!(
            "storage.data: {shown}: {existing} is not a folder; name another"
        ));
    }
    match rustix::fs::access(existing, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!(
            "storage.data: {shown}: {} takes no files ({error}); name another with --data",
            existing.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Loader;

    #[test]
    fn missing_files_are_named_where_they_are_set() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(dir.path().join("a.key"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(dir.path().join("file"), "x\n").unwrap();
        let path = dir.path().join("sidestream.toml");
        let text = "[rtmps]\nlisten = \":1936\"\ncert = \"/none/cert.pem\"\nkey = \"a.key\"\n\
                    [auth]\nkeys_file = \"file\"\n[[push]]\nmatch = \"*\"\n\
                    url = \"rtmp://h/a\"\nkey_file = \"no.key\"\n[storage]\ndata = \"file/x\"\n";
        std::fs::write(&path, text).unwrap();
        let found = Loader::new().file(&path).load().unwrap().inspect();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let (file, dir) = (path.display(), dir.path().display());
        assert_eq!(
            found,
            [
                format!(
                    "{file}:3:8: rtmps.cert: /none/cert.pem: no such file; create it or remove [rtmps]"
                ),
                format!(
                    "{file}:6:13: auth.keys_file: {dir}/file:1: the key of \"key1\" has 1 characters; use at least 16, as `sidestream key` does"
                ),
                format!(
                    "{file}:10:12: push.key_file: {dir}/no.key: no such file; create it or remove the setting"
                ),
                format!(
                    "{file}:12:8: storage.data: {dir}/file/x: {dir}/file is not a folder; name another"
                ),
            ]
        );
    }
}
