//! nginx with its RTMP module, as the remote server of pushes and as a known-good peer.

use crate::process::{Process, command, free_port, wait_for_port};
use std::process::Stdio;
use tempfile::TempDir;

/// A running nginx-rtmp with the applications `live` and `other`.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    /// RTMP port on loopback.
    pub port: u16,
    folder: TempDir,
}

impl Nginx {
    /// Starts nginx in the foreground on a free port.
    pub fn start() -> Self {
        Self::start_on(free_port())
    }

    /// Starts nginx on a port, for instance the one that an earlier one had.
    ///
    /// # Panics
    /// When it does not listen within 10 s.
    pub fn start_on(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
master_process off;
pid {at}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        access_log off;
        application live {{ live on; }}
        application other {{ live on; }}
    }}
}}
"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let program = if std::path::Path::new("/usr/sbin/nginx").exists() {
            "/usr/sbin/nginx"
        } else {
            "nginx"
        };
        let mut nginx = command(program);
        nginx.arg("-c").arg(&file).arg("-p").arg(folder.path());
        nginx.args(["-e", "stderr"]).stdout(Stdio::null());
        let process = Process::start("nginx-rtmp", nginx);
        wait_for_port(port);
        Self {
            process,
            port,
            folder,
        }
    }

    /// URL of a stream, for instance `live/cam1`.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{stream}", self.port)
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to wait for or to end.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its temporary folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
