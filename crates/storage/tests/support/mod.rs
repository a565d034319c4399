//! An S3 server of others' making (`s3s-fs`), in this process, with a folder of its own: it can be stopped and started
//! again at the same address, with what it had.
#![allow(unreachable_pub, dead_code)]

pub mod live;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use storage::{Credentials, Location, Options, Store};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

pub const KEY_ID: &str = "AKIAEXAMPLEKEYID0001";
pub const SECRET: &str = "very/secret+access=key";
pub const BUCKET: &str = "media-live";

pub struct S3 {
    pub addr: SocketAddr,
    folder: tempfile::TempDir,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl S3 {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listener, addr) = listen(any);
        let mut server = Self {
            addr,
            folder,
            running: None,
        };
        server.running = Some(tokio::spawn(serve(listener, server.root())));
        server
    }

    /// Ends it with all its connections.
    pub async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.abort();
        let _ = running.await;
    }

    pub fn start_again(&mut self) {
        let (listener, _) = listen(self.addr);
        self.running = Some(tokio::spawn(serve(listener, self.root())));
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.endpoint = Some(format!("http://{}", self.addr));
        options.credentials = Some(Credentials::new(KEY_ID, SECRET));
        options
    }

    pub fn store(&self, url: &str) -> Store {
        let location: Location = url.parse().unwrap();
        Store::open(&location, &self.options()).unwrap()
    }
}

fn listen(addr: SocketAddr) -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(addr).unwrap();
    let listener = socket.listen(64).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

async fn serve(listener: TcpListener, root: impl AsRef<Path>) {
    let service = {
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        builder.build()
    };
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
