//! A storage: the one trait, a prefix, and what its users need beside it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutOptions, PutPayload,
};

use crate::error::{Error, Kind};
use crate::redact::Redact;
use crate::{Location, Options};

/// An open storage. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    /// What all names begin with; without `/` at its end.
    prefix: Arc<str>,
    /// Whether it keeps the type of an object.
    keeps_attributes: bool,
    timeout: Duration,
    redact: Redact,
    shown: Arc<str>,
}

/// Something to store. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// The content, one piece behind the other: nothing is joined.
    pub pieces: Arc<[Bytes]>,
    /// MIME type.
    pub content_type: &'static str,
    /// `Cache-Control` of those who are given it over HTTP.
    pub cache_control: &'static str,
}

impl Object {
    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}, {} bytes)", self.content_type, self.len())
    }
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its name, without the prefix.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was written, by the storage's clock.
    pub modified: SystemTime,
}

impl Found {
    #[cfg(test)]
    pub(crate) fn new(name: &str, modified: SystemTime) -> Self {
        Self {
            name: name.to_owned(),
            bytes: 0,
            modified,
        }
    }
}

impl Store {
    /// Opens a storage. A folder is made when it is missing; object storage is not asked yet ([`Store::look`]).
    ///
    /// # Errors
    /// What can never work: a folder that cannot be made, an endpoint that is no URL, S3 in a build without it.
    pub fn open(location: &Location, options: &Options) -> Result<Self, Error> {
        let redact = Redact::of(options.credentials.as_ref());
        let (inner, prefix): (Arc<dyn ObjectStore>, &str) = match location {
            Location::Memory => (Arc::new(InMemory::new()), ""),
            Location::Folder(path) => {
                std::fs::create_dir_all(path).map_err(|error| Error::of_io(&error, &redact))?;
                let folder = LocalFileSystem::new_with_prefix(path)
                    .map_err(|error| Error::of(&error, &redact))?;
                (Arc::new(folder.with_automatic_cleanup(true)), "")
            }
            Location::S3 { bucket, prefix } => (s3(bucket, options, &redact)?, prefix),
        };
        let keeps_attributes = !matches!(location, Location::Folder(_));
        let shown = match (&options.endpoint, location) {
            (Some(endpoint), Location::S3 { .. }) => {
                format!("{location} at {}", authority(endpoint))
            }
            _ => location.to_string(),
        };
        Ok(Self {
            inner,
            prefix: prefix.into(),
            keeps_attributes,
            timeout: options.timeout,
            redact,
            shown: shown.into(),
        })
    }

    /// A storage of the embedder's own. `shown` stands for it in logs; `keeps_attributes` says whether it takes
    /// [`Attributes`].
    #[must_use]
    pub fn with(inner: Arc<dyn ObjectStore>, shown: &str, keeps_attributes: bool) -> Self {
        Self {
            inner,
            prefix: "".into(),
            keeps_attributes,
            timeout: Options::default().timeout,
            redact: Redact::default(),
            shown: shown.into(),
        }
    }

    /// Writes an object, whole or not at all; takes the place of one that is there.
    ///
    /// # Errors
    /// [`Error`], also when there is no answer in time: then it may or may not have been written.
    pub async fn put(&self, name: &str, object: &Object) -> Result<(), Error> {
        let path = self.path(name)?;
        let mut options = PutOptions::default();
        if self.keeps_attributes {
            options.attributes = Attributes::from_iter([
                (Attribute::ContentType, object.content_type),
                (Attribute::CacheControl, object.cache_control),
            ]);
        }
        let payload: PutPayload = object.pieces.iter().cloned().collect();
        self.within(self.inner.put_opts(&path, payload, options))
            .await?;
        Ok(())
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is none, and all others.
    pub async fn get(&self, name: &str) -> Result<Bytes, Error> {
        let path = self.path(name)?;
        let read = async { self.inner.get(&path).await?.bytes().await };
        self.within(read).await
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error`] of any kind but [`Kind::NotFound`].
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name)?;
        match self.within(self.inner.delete(&path)).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            done => done,
        }
    }

    /// The objects below a folder, at most `most` of them, in no order; `""` is everything.
    ///
    /// # Errors
    /// [`Error`] of any kind.
    pub async fn list(&self, folder: &str, most: usize) -> Result<Vec<Found>, Error> {
        let path = self.path(folder)?;
        let below = (!path.as_ref().is_empty()).then_some(&path);
        let mut found = Vec::new();
        let mut listing = self.inner.list(below);
        while found.len() < most
            && let Some(meta) = self.within(listing.try_next()).await?
        {
            let full = meta.location.as_ref();
            let name = match self.prefix.len() {
                0 => full,
                prefix => full.get(prefix + 1..).unwrap_or_default(),
            };
            found.push(Found {
                name: name.to_owned(),
                bytes: meta.size,
                modified: meta.last_modified.into(),
            });
        }
        Ok(found)
    }

    /// Asks whether it is there and lets us look: reads the first name of a listing.
    ///
    /// # Errors
    /// [`Error`] says what an operator has to mend.
    pub async fn look(&self) -> Result<(), Error> {
        self.list("", 1).await.map(drop)
    }

    /// Writes an object of a few bytes, reads it and deletes it.
    ///
    /// # Errors
    /// [`Error`] of the step that failed.
    pub async fn try_writing(&self) -> Result<(), Error> {
        const NAME: &str = "sidestream-check.txt";
        let text = Bytes::from_static(b"written by sidestream check; may be deleted\n");
        let object = Object {
            pieces: [text.clone()].into(),
            content_type: "text/plain",
            cache_control: "no-cache",
        };
        self.put(NAME, &object).await?;
        let read = self.get(NAME).await?;
        self.delete(NAME).await?;
        match read == text {
            true => Ok(()),
            false => Err(Error::new(
                Kind::Other,
                "it gave back other bytes than were written",
            )),
        }
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, Error> {
        // The client has a limit of its own for each request; this one also bounds what it waits for before one, such as
        // the credentials of a machine's role.
        match tokio::time::timeout(self.timeout, request).await {
            Ok(done) => done.map_err(|error| Error::of(&error, &self.redact)),
            Err(_) => Err(Error::late(self.timeout.as_secs())),
        }
    }

    fn path(&self, name: &str) -> Result<Path, Error> {
        let full = match (&*self.prefix, name) {
            ("", name) => name.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, name) => format!("{prefix}/{name}"),
        };
        // Taken as it is: the names of streams hold nothing that would have to be encoded.
        Path::parse(&full)
            .map_err(|error| Error::new(Kind::Settings, self.redact.words(&error.to_string())))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is inside prints its credentials.
        write!(f, "Store({})", self.shown)
    }
}

/// Host and port of a URL: nothing else of it is shown.
fn authority(endpoint: &str) -> &str {
    let rest = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(feature = "s3")]
fn s3(bucket: &str, options: &Options, redact: &Redact) -> Result<Arc<dyn ObjectStore>, Error> {
    use object_store::aws::AmazonS3Builder;
    use object_store::{ClientOptions, RetryConfig};

    let client = ClientOptions::new()
        .with_timeout(options.timeout)
        .with_connect_timeout(Duration::from_secs(5).min(options.timeout))
        .with_allow_http(true);
    // Who retries is who knows what is newest by then.
    let retry = RetryConfig {
        max_retries: 0,
        retry_timeout: options.timeout,
        ..RetryConfig::default()
    };
    let mut builder = match &options.credentials {
        Some(own) => {
            let builder = AmazonS3Builder::new()
                .with_access_key_id(&own.access_key_id)
                .with_secret_access_key(&own.secret_access_key);
            match &own.session_token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
        None => AmazonS3Builder::from_env(),
    };
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    let store = builder
        .with_bucket_name(bucket)
        // One name a request: the other way needs checksums that not every service takes.
        .with_disable_bulk_delete(true)
        .with_client_options(client)
        .with_retry(retry)
        .build();
    let store = store.map_err(|error| Error::of(&error, redact))?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "s3"))]
fn s3(_: &str, _: &Options, _: &Redact) -> Result<Arc<dyn ObjectStore>, Error> {
    Err(Error::new(
        Kind::Settings,
        "this build has no s3; build it with the feature s3",
    ))
}

#[cfg(test)]
mod tests;
