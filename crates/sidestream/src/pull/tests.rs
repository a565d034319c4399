#![allow(clippy::unwrap_used)]
use super::*;

const CLIP: &[u8] = include_bytes!("../../../../testdata/bframes.flv");

async fn tags(source: &mut Source) -> Result<Vec<Tag>, PullError> {
    let mut tags = Vec::new();
    while let Some(tag) = source.next().await? {
        tags.push(tag);
    }
    Ok(tags)
}

#[test]
fn inputs_are_told_apart_and_shown_without_secrets() {
    let show = |text: &str| text.parse::<Input>().map(|input| input.to_string());
    assert_eq!(show("a b.flv").unwrap(), "a b.flv");
    assert_eq!(show("-").unwrap(), "stdin");
    assert_eq!(
        show("rtmp://h/live/cam1?key=s3cret").unwrap(),
        "rtmp://h/live/cam1"
    );
    assert_eq!(
        show("https://h:8443/live/cam1.flv?token=s3cret").unwrap(),
        "https://h:8443/live/cam1.flv"
    );
    assert_eq!(
        show("srt://h/x?key=s3cret").unwrap_err().to_string(),
        "srt://h/x: unknown scheme \"srt\"; write a file, rtmp://, rtmps://, http:// or https://"
    );
    assert!(show("rtmp://h/live").is_err());
}

#[tokio::test]
async fn a_file_yields_the_tags_of_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.flv");
    std::fs::write(&path, CLIP).unwrap();
    let mut file = Source::open(&Input::File(path), Duration::ZERO)
        .await
        .unwrap();
    let mut memory = Source::from_bytes("clip", Bytes::from_static(CLIP));
    let from_file = tags(&mut file).await.unwrap();
    assert_eq!(from_file, tags(&mut memory).await.unwrap());
    // 6 s at 25 fps and two sequence headers at the least.
    assert!(from_file.len() > 150 + 2);
    assert!(
        memory.next().await.unwrap().is_none(),
        "the end stays the end"
    );
}

#[tokio::test]
async fn a_cut_file_says_at_which_byte() {
    let mut source = Source::from_bytes("cut.flv", Bytes::from_static(&CLIP[..5_000]));
    let error = tags(&mut source).await.unwrap_err().to_string();
    assert!(error.starts_with("cut.flv: "), "{error}");
    assert!(error.contains("5000") || error.contains("byte"), "{error}");
}

#[tokio::test]
async fn a_missing_file_and_a_dead_server_are_one_line() {
    let missing = "no/such.flv".parse().unwrap();
    let error = Source::open(&missing, Duration::ZERO).await.err().unwrap();
    assert_eq!(error.to_string(), "no/such.flv: no such file");
    let folder = ".".parse().unwrap();
    let error = Source::open(&folder, Duration::ZERO).await.err().unwrap();
    assert_eq!(error.to_string(), ".: is a folder; name a file in it");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("rtmp://127.0.0.1:{port}/live/a").parse().unwrap();
    let error = Source::open(&url, Duration::ZERO).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "rtmp://127.0.0.1:{port}/live/a: connection refused by 127.0.0.1:{port}; start the server or check the port"
        )
    );
}
