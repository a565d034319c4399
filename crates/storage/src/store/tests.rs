#![allow(clippy::unwrap_used)]
use super::*;
use crate::Credentials;

fn object(text: &'static str) -> Object {
    let (head, tail) = text.split_at(text.len() / 2);
    Object {
        pieces: [head, tail]
            .map(|piece| Bytes::from_static(piece.as_bytes()))
            .into(),
        content_type: "video/mp4",
        cache_control: "no-cache",
    }
}

async fn works(store: &Store) {
    store.look().await.unwrap();
    store
        .put("live/cam1/1.m4s", &object("abcdef"))
        .await
        .unwrap();
    store.put("live/cam1/2.m4s", &object("old")).await.unwrap();
    store
        .put("live/cam1/2.m4s", &object("second"))
        .await
        .unwrap();
    store
        .put("live/cam1.m3u8", &object("#EXTM3U"))
        .await
        .unwrap();
    assert_eq!(store.get("live/cam1/2.m4s").await.unwrap(), "second");
    let mut found = store.list("live/cam1", 100).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
    assert_eq!(names, [("live/cam1/1.m4s", 6), ("live/cam1/2.m4s", 6)]);
    assert_eq!(store.list("", 2).await.unwrap().len(), 2);
    store.delete("live/cam1/1.m4s").await.unwrap();
    store.delete("live/cam1/1.m4s").await.unwrap();
    let gone = store.get("live/cam1/1.m4s").await.unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound);
    store.try_writing().await.unwrap();
    assert_eq!(store.list("", 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn memory_is_a_storage() {
    works(&Store::open(&Location::Memory, &Options::default()).unwrap()).await;
}

#[tokio::test]
async fn a_folder_is_a_storage_and_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().join("a/b"));
    let store = Store::open(&location, &Options::default()).unwrap();
    works(&store).await;
    let file = std::fs::read(folder.path().join("a/b/live/cam1/2.m4s")).unwrap();
    assert_eq!(file, b"second");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let location = Location::Folder(file.join("below"));
    let error = Store::open(&location, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "not a directory");
}

#[test]
fn what_is_shown_holds_no_secret() {
    let location = "s3://bucket/pre".parse().unwrap();
    let options = Options {
        endpoint: Some("http://user:s3cret@127.0.0.1:9000/x?s3cret".to_owned()),
        credentials: Some(Credentials::new("AKIAX", "s3cret")),
        ..Options::default()
    };
    let store = Store::open(&location, &options).unwrap();
    assert_eq!(store.to_string(), "s3://bucket/pre at 127.0.0.1:9000");
    assert_eq!(
        format!("{store:?}"),
        "Store(s3://bucket/pre at 127.0.0.1:9000)"
    );
    assert!(!format!("{options:?}").contains("AKIAX"));
}
