//! Playlists whose links carry what lets their viewer in.
//!
//! Players do not repeat a playlist's query in what the playlist names, so it has to be written
//! there (RFC 8216 §4.1: a URI line, or `URI="…"` in a tag). One text serves all viewers with the
//! same query; an open stream's playlists never come here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hls::Text;

use super::entry::Playlist;
use crate::content;

/// Texts kept of one snapshot; more are made anew for each request. Bounds: memory under viewers
/// that all bring a query of their own.
const MAX_TEXTS: usize = 64;

/// A playlist with its links, plain and compressed.
#[derive(Clone, Debug)]
pub(super) struct Linked {
    pub(super) body: Bytes,
    pub(super) gzip: Bytes,
    pub(super) etag: String,
}

/// The linked playlists of one snapshot.
#[derive(Default)]
pub(super) struct LinkedTexts {
    // Guards the texts; held while one is made, so that many who ask at once share it.
    texts: Mutex<HashMap<(usize, Arc<str>), Linked>>,
}

impl LinkedTexts {
    /// `text`, which is this playlist of the snapshot, with `query` on its links.
    pub(super) fn get(&self, playlist: Playlist, text: &Text, query: &Arc<str>) -> Linked {
        let key = (playlist.index(), Arc::clone(query));
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.get(&key) {
            return known.clone();
        }
        let made = make(text, query);
        if texts.len() < MAX_TEXTS {
            texts.insert(key, made.clone());
        }
        made
    }
}

pub(super) fn make(text: &Text, query: &str) -> Linked {
    let (body, etag) = linked(text, query);
    Linked {
        gzip: content::compress(&body),
        etag,
        body,
    }
}

/// The playlist with its links, and its tag.
pub(super) fn linked(text: &Text, query: &str) -> (Bytes, String) {
    let body = with_links(&String::from_utf8_lossy(&text.body), query);
    let etag = format!("{}-{:016x}\"", text.etag.trim_end_matches('"'), hash(query));
    (body.into(), etag)
}

/// Puts `query` on every URI of a playlist.
fn with_links(playlist: &str, query: &str) -> String {
    const ATTRIBUTE: &str = "URI=\"";
    let mut out = String::with_capacity(playlist.len() + 16 * (query.len() + 1));
    for line in playlist.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        let end = &line[bare.len()..];
        if bare.is_empty() {
            out.push_str(line);
            continue;
        }
        if !bare.starts_with('#') {
            link(&mut out, bare, query);
            out.push_str(end);
            continue;
        }
        let uri = bare.split_once(ATTRIBUTE).and_then(|(before, rest)| {
            let (uri, after) = rest.split_once('"')?;
            Some((before, uri, after))
        });
        match uri {
            Some((before, uri, after)) => {
                out.push_str(before);
                out.push_str(ATTRIBUTE);
                link(&mut out, uri, query);
                out.push('"');
                out.push_str(after);
            }
            None => out.push_str(bare),
        }
        out.push_str(end);
    }
    out
}

fn link(out: &mut String, uri: &str, query: &str) {
    out.push_str(uri);
    out.push(if uri.contains('?') { '&' } else { '?' });
    out.push_str(query);
}

/// 64-bit FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use hls::{Container, PlaylistName};

    use super::*;

    #[test]
    fn every_uri_gets_the_query_and_nothing_else_changes() {
        let playlist = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-MAP:URI=\"1a-init-0.mp4\",BYTERANGE=\"1@0\"\n\
                        #EXTINF:2.04,\n1a-17.m4s\r\n\n#EXTINF:2,\n1a-18.m4s?x=1\n#EXT-X-PART:DURATION=0.32,URI=\"1a-19.0.m4s\",INDEPENDENT=YES\n\
                        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1a-19.1.m4s\"\n#EXT-X-ENDLIST";
        assert_eq!(
            with_links(playlist, "token=a-b"),
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-MAP:URI=\"1a-init-0.mp4?token=a-b\",BYTERANGE=\"1@0\"\n\
             #EXTINF:2.04,\n1a-17.m4s?token=a-b\r\n\n#EXTINF:2,\n1a-18.m4s?x=1&token=a-b\n#EXT-X-PART:DURATION=0.32,URI=\"1a-19.0.m4s?token=a-b\",INDEPENDENT=YES\n\
             #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"1a-19.1.m4s?token=a-b\"\n#EXT-X-ENDLIST"
        );
    }

    #[test]
    fn one_text_serves_all_with_the_same_query() {
        let text = Text {
            body: Bytes::from_static(b"#EXTM3U\na.m4s\n"),
            etag: "\"0123\"".into(),
        };
        let texts = LinkedTexts::default();
        let get = |query: &str| {
            let media = PlaylistName::Media(Container::Fmp4.into());
            texts.get(Playlist::Named(media), &text, &Arc::from(query))
        };
        let (one, same, other) = (get("token=1"), get("token=1"), get("token=2"));
        assert_eq!(one.body.as_ptr(), same.body.as_ptr());
        assert_eq!(one.etag, same.etag);
        assert_ne!(one.body, other.body);
        assert_ne!(one.etag, other.etag);
        for number in 0..1_000 {
            get(&format!("token={number}"));
        }
        assert_eq!(texts.texts.lock().map(|texts| texts.len()).ok(), Some(64));
    }
}
