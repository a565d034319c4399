//! An S3 server of others' making (`s3s-fs`), in this process, with a folder of its own: it can be stopped and started again at
//! the same address, with what it had.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

/// The access key that it knows.
pub const KEY_ID: &str = "AKIAEXAMPLEKEYID0001";
/// Its secret half.
pub const SECRET: &str = "very/secret+access=key";
/// The bucket that it has.
pub const BUCKET: &str = "media-live";

/// A running or stopped server; goes with its folder when dropped.
#[derive(Debug)]
pub struct S3 {
    addr: SocketAddr,
    folder: tempfile::TempDir,
    runtime: Runtime,
    running: Option<JoinHandle<()>>,
}

impl S3 {
    /// Starts one with an empty bucket.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let mut server = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            runtime,
            running: None,
        };
        server.start_again();
        server
    }

    /// Starts it after [`S3::stop`].
    pub fn start_again(&mut self) {
        let _in_runtime = self.runtime.enter();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.addr).unwrap();
        let listener = socket.listen(64).unwrap();
        self.addr = listener.local_addr().unwrap();
        let root = self.folder.path().to_owned();
        self.running = Some(self.runtime.spawn(serve(listener, root)));
    }

    /// Ends it, and all its connections.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = self.runtime.block_on(running);
        }
    }

    /// Its base URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The folder whose files are the bucket's objects.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

async fn serve(listener: TcpListener, root: PathBuf) {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let service = builder.build();
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        let service = service.clone();
        connections.spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
