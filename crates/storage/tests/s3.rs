//! A [`Store`] against an S3 server of others' making.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use storage::{Credentials, Kind, Object, Store};
use support::{BUCKET, S3};

fn object(bytes: &'static [u8]) -> Object {
    Object {
        pieces: [Bytes::from_static(bytes)].into(),
        content_type: "video/mp4",
        cache_control: "public, max-age=31536000, immutable",
    }
}

#[tokio::test]
async fn objects_come_and_go_below_the_prefix_with_their_types() {
    let s3 = S3::start().await;
    let store = s3.store(&format!("s3://{BUCKET}/pre/fix"));
    store.look().await.unwrap();
    store
        .put("live/cäm-1/1.m4s", &object(b"abc"))
        .await
        .unwrap();
    store.put("live/cäm-1/2.m4s", &object(b"")).await.unwrap();
    assert!(s3.bucket().join("pre/fix/live/cäm-1/1.m4s").is_file());
    assert_eq!(store.get("live/cäm-1/1.m4s").await.unwrap(), "abc");
    let mut names: Vec<_> = store.list("live/cäm-1", 9).await.unwrap();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = names.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
    assert_eq!(names, [("live/cäm-1/1.m4s", 3), ("live/cäm-1/2.m4s", 0)]);
    store.delete("live/cäm-1/1.m4s").await.unwrap();
    store.delete("live/cäm-1/1.m4s").await.unwrap();
    let gone = store.get("live/cäm-1/1.m4s").await.unwrap_err();
    assert_eq!(
        (gone.kind(), gone.to_string().as_str()),
        (Kind::NotFound, "no such object (NoSuchKey)")
    );
    store.try_writing().await.unwrap();
    assert_eq!(store.list("", 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_no_secret() {
    let mut s3 = S3::start().await;
    let location = format!("s3://{BUCKET}").parse().unwrap();
    let with = |id: &str, secret: &str| {
        let mut options = s3.options();
        options.credentials = Some(Credentials::new(id, secret));
        Store::open(&location, &options).unwrap()
    };
    let unknown = with("AKIAUNKNOWN", "x");
    let wrong = with(support::KEY_ID, "another-secret");
    let mut said = Vec::new();
    for (store, kind) in [(&unknown, Kind::Credentials), (&wrong, Kind::Credentials)] {
        for error in [
            store.look().await.unwrap_err(),
            store.put("a", &object(b"x")).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind, "{error}");
            said.push(error.to_string());
        }
    }
    let missing = s3.store("s3://no-such-bucket");
    // This server makes a missing bucket when it is written to, and calls it empty as a whole.
    let error = missing.list("live/cam1", 9).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoBucket, "{error}");
    assert_eq!(error.to_string(), "no such bucket (NoSuchBucket)");
    let store = s3.store(&format!("s3://{BUCKET}"));
    s3.stop().await;
    let error = store.look().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Unreachable, "connection refused")
    );
    s3.start_again();
    store.put("a", &object(b"x")).await.unwrap();
    for text in said {
        let secrets = [
            support::KEY_ID,
            support::SECRET,
            "another-secret",
            "AKIAUNKNOWN",
        ];
        assert!(
            !secrets.iter().any(|secret| text.contains(secret)),
            "{text}"
        );
    }
}
