//! Where the test media are.

use std::path::{Path, PathBuf};

/// A file of the repository's `testdata/`.
///
/// # Panics
/// When it does not exist.
pub fn testdata(name: &str) -> PathBuf {
    let path = repository().join("testdata").join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/e2e lies two levels deep")
        .to_owned()
}

/// The folder `shared/testmedia` beside the repository (or below `SIDESTREAM_SHARED`); `None`, with
/// a message on standard error, when this machine does not have it.
pub fn shared() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SIDESTREAM_SHARED") {
        let folder = PathBuf::from(folder).join("testmedia");
        assert!(folder.is_dir(), "SIDESTREAM_SHARED has no testmedia");
        return Some(folder);
    }
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/testmedia"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: no shared/testmedia beside the repository (set SIDESTREAM_SHARED)");
    }
    found
}

/// All files below `folder` with extension `extension`, sorted by path.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .filter(|path| extension.is_empty() || path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}
