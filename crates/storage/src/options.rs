//! How a storage is reached.

use std::time::Duration;

use crate::Credentials;

/// Settings of a [`crate::Store`]; only those of S3 matter to others than S3.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Base URL of an S3-compatible service, `https://minio.example:9000`; the bucket follows as the first part of the path.
    /// `None`: AWS itself. `http://` sends the media (never the secret key) in the clear.
    pub endpoint: Option<String>,
    /// Region that requests are signed for. `None`: the environment's (`AWS_REGION`), else `us-east-1`, which services that
    /// know no regions accept.
    pub region: Option<String>,
    /// The access key. `None`: the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), or the role
    /// that the machine or container has.
    pub credentials: Option<Credentials>,
    /// Longest time that a request may take, with its body. Default 30 s.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            credentials: None,
            timeout: Duration::from_secs(30),
        }
    }
}
