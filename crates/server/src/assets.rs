//! The files of the pages, embedded in the binary.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::OnceLock;

use bytes::Bytes;
use rust_embed::RustEmbed;

use crate::content::{self, Content, Gzip};

#[derive(RustEmbed)]
#[folder = "ui/dist"]
struct Dist;

#[derive(RustEmbed)]
#[folder = "ui/vendor"]
struct Vendor;

/// Largest embedded file once unpacked; the players have 0.4 MB.
const MAX_UNPACKED_BYTES: u64 = 16 << 20;

/// Embedded files by their path below `/assets/`.
pub(crate) struct Assets {
    files: BTreeMap<String, Asset>,
}

struct Asset {
    /// As stored.
    stored: Bytes,
    is_packed: bool,
    etag: String,
    content_type: &'static str,
    /// The form that is not stored, made when it is first asked for.
    other: OnceLock<Bytes>,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let dist = Dist::iter().filter_map(|path| Some((path.to_string(), Dist::get(&path)?)));
        let vendor =
            Vendor::iter().filter_map(|path| Some((format!("vendor/{path}"), Vendor::get(&path)?)));
        let mut files = BTreeMap::new();
        for (path, file) in dist.chain(vendor) {
            let (name, is_packed) = match path.strip_suffix(".gz") {
                Some(name) => (name.to_owned(), true),
                None => (path, false),
            };
            let hash = file.metadata.sha256_hash();
            let hash = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
            let asset = Asset {
                stored: match file.data {
                    std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
                    std::borrow::Cow::Owned(data) => Bytes::from(data),
                },
                is_packed,
                etag: format!("\"{}\"", hash.collect::<String>()),
                content_type: content_type(&name),
                other: OnceLock::new(),
            };
            files.insert(name, asset);
        }
        Self { files }
    }

    /// The file of this path. Names are fixed and contents change with the binary, so caches ask
    /// each time.
    pub(crate) fn get(&self, path: &str) -> Option<Content> {
        let asset = self.files.get(path)?;
        let other = asset
            .other
            .get_or_init(|| {
                if asset.is_packed {
                    unpack(&asset.stored)
                } else {
                    content::compress(&asset.stored)
                }
            })
            .clone();
        let (body, gzip) = if asset.is_packed {
            (other, asset.stored.clone())
        } else {
            (asset.stored.clone(), other)
        };
        Some(Content {
            body: body.into(),
            gzip: Gzip::Here(gzip.into()),
            content_type: asset.content_type,
            etag: asset.etag.clone(),
            cache_control: content::NO_CACHE.into(),
        })
    }
}

fn unpack(packed: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed).take(MAX_UNPACKED_BYTES);
    if let Err(error) = decoder.read_to_end(&mut bytes) {
        tracing::error!(%error, "an embedded file is damaged");
    }
    bytes.into()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn players_unpack_to_the_sizes_recorded() {
        let assets = Assets::new();
        let versions = assets.get("vendor/VERSIONS.md").unwrap().body.joined();
        let versions = String::from_utf8_lossy(&versions).into_owned();
        for file in [
            "hls.light.min.js",
            "hls.min.js",
            "hls.worker.js",
            "mpegts.js",
        ] {
            let row = versions
                .lines()
                .find(|line| line.contains(&format!(" {file} ")))
                .unwrap();
            let content = assets.get(&format!("vendor/{file}")).unwrap();
            let bytes: usize = row.split('|').nth(5).unwrap().trim().parse().unwrap();
            assert_eq!(content.body.len(), bytes, "{file}");
            assert_eq!(content.content_type, "text/javascript; charset=utf-8");
            let Gzip::Here(packed) = content.gzip else {
                panic!()
            };
            assert!(packed.len() < bytes / 2);
        }
        assert!(assets.get("watch.html").is_some());
        assert!(assets.get("../Cargo.toml").is_none());
    }
}
