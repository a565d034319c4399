//! A disk that a test can fill.

use crate::process::{Process, command};
use crate::wait::secs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// A tmpfs in a mount namespace of its own: it is gone with its last process, however that ends.
#[derive(Debug)]
pub struct SmallDisk {
    /// Keeps the namespace.
    holder: Process,
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of so many bytes, as tmpfs takes them (`2m`); `None`, with a message, where that is
    /// not allowed.
    ///
    /// # Panics
    /// When there is no answer within 10 s.
    pub fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut program = command("unshare");
        program.args(["--mount", "--propagation", "private", "sh", "-c"]);
        program.arg("mount -t tmpfs -o size=$1 tmpfs \"$2\" && echo mounted && exec sleep 900");
        program.args(["sh", size]).arg(folder.path());
        program.stdout(Stdio::piped());
        let mut holder = Process::start("the holder of a small disk", program);
        let answer = holder.stdout_lines().recv_timeout(secs(10));
        if answer.as_deref() == Ok("mounted") {
            return Some(Self { holder, folder });
        }
        holder.wait(secs(10));
        eprintln!(
            "skipped: no tmpfs can be mounted here (root may)\n{}",
            holder.log()
        );
        None
    }

    /// What starts a program in the namespace, see [`crate::server::Options::wrapper`].
    pub fn wrapper(&self) -> Vec<String> {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        vec!["nsenter".to_owned(), namespace, "--".to_owned()]
    }

    /// The folder as programs in the namespace see it.
    pub fn inside(&self) -> &Path {
        self.folder.path()
    }

    /// The same for everybody else.
    pub fn outside(&self) -> PathBuf {
        let inside = self.folder.path().strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }
}
