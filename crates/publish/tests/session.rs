//! Publishing a file's tags, playing from a server, and both over TLS.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use publish::{Publication, Pull, Target, Trust};
use remux::flv::TagKind;
use rtmp::{ServerEvent, StreamEnd, chunk::MessageHeader};
use support::*;
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn publication_sends_tags_as_they_are_and_ends_in_order() {
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        let key = server.accept_publish().await;
        (key, server.rest().await)
    });
    let mut publication = Publication::connect(&url(addr, "app/key"), &quick())
        .await
        .unwrap();
    publication.push(TagKind::Script, 0, metadata());
    publication.push(TagKind::Video, 0, video_header(0x1e));
    // Beyond 24 bits, and over the wrap.
    publication.push(TagKind::Video, 0xff_ffff, video(1, true, 200_000));
    publication.push(TagKind::Audio, u32::MAX, audio(2));
    publication.push(TagKind::Audio, 3, audio(3));
    within("flush", publication.flush()).await.unwrap();
    assert!(publication.bytes_out() > 200_000);
    publication.finish().await;
    let (key, got) = server.await.unwrap();
    assert_eq!(key, "key");
    assert_eq!(
        got,
        [
            Got::Data(0, "onMetaData".to_owned(), metadata().slice(13..)),
            Got::Video(0, video_header(0x1e)),
            Got::Video(0xff_ffff, video(1, true, 200_000)),
            Got::Audio(u32::MAX, audio(2)),
            Got::Audio(3, audio(3)),
            Got::Unpublish,
        ]
    );
}

#[tokio::test]
async fn pull_gives_what_the_server_plays_until_it_ends() {
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        let ServerEvent::Play(request) = server.negotiate().await else {
            panic!("not a play");
        };
        assert_eq!(
            (request.name.as_str(), request.query.as_deref()),
            ("cam1", Some("t=1"))
        );
        let id = request.message_stream_id;
        server.session.accept_play(id).unwrap();
        let session = &mut server.session;
        session.send_message(MessageHeader::data(id, 7, 0), &metadata());
        session.send_message(
            MessageHeader::video(id, 0x100_0000, 0),
            &video(0, true, 90_000),
        );
        session.send_message(MessageHeader::audio(id, 9, 0), &audio(9));
        session.end_play(id, StreamEnd::Unpublished);
        server.send().await;
        // The client leaves by itself.
        while server.event().await.is_some() {}
    });
    let mut pull = Pull::connect(&url(addr, "live/cam1?t=1"), &quick())
        .await
        .unwrap();
    let mut got = Vec::new();
    while let Some(one) = within("a message", pull.next()).await.unwrap() {
        got.push((one.kind, one.timestamp_ms, one.body));
    }
    pull.close().await;
    assert_eq!(
        got,
        [
            (TagKind::Script, 7, metadata()),
            (TagKind::Video, 0x100_0000, video(0, true, 90_000)),
            (TagKind::Audio, 9, audio(9)),
        ]
    );
    server.await.unwrap();
}

#[tokio::test]
async fn pull_tells_a_broken_connection_from_an_end() {
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        server.negotiate().await;
        server.session.accept_play(1).unwrap();
        let body: Bytes = audio(1);
        server
            .session
            .send_message(MessageHeader::audio(1, 1, 0), &body);
        server.send().await;
    });
    let mut pull = Pull::connect(&url(addr, "live/cam1"), &quick())
        .await
        .unwrap();
    assert!(within("audio", pull.next()).await.unwrap().is_some());
    let error = within("the end", pull.next()).await.unwrap_err();
    assert_eq!(error.to_string(), "closed by the server");
    server.await.unwrap();
}

#[tokio::test]
async fn refused_play_is_an_error_with_the_servers_words() {
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        server.negotiate().await;
        let code = "NetStream.Play.StreamNotFound";
        server
            .session
            .reject_play(1, code, "nobody is here")
            .unwrap();
        server.send().await;
    });
    let error = Pull::connect(&url(addr, "live/cam1"), &quick())
        .await
        .err()
        .unwrap();
    let wanted = "refused by the server (\"nobody is here\"); check the key there";
    assert_eq!(error.to_string(), wanted);
    server.await.unwrap();
}

/// A TLS acceptor for `localhost`, and its certificate.
fn tls() -> (
    tokio_rustls::TlsAcceptor,
    rustls_pki_types::CertificateDer<'static>,
) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (Arc::new(config).into(), certificate)
}

#[tokio::test]
async fn rtmps_is_pushed_to_servers_that_are_trusted_only() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 100_000);
    let (listener, addr) = listener().await;
    let (acceptor, certificate) = tls();
    let stream = Arc::clone(feed.publisher.stream());
    let tracker = TaskTracker::new();
    let url: rtmp::Url = format!("rtmps://localhost:{}/app/s3cret", addr.port())
        .parse()
        .unwrap();
    // Nobody vouches for the certificate.
    let distrustful = Target::start(stream.clone(), url.clone(), quick(), &tracker);
    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(tcp).await.is_err());
    let error = failure(&distrustful).await;
    assert!(error.starts_with("tls with localhost: "), "{error}");
    assert!(
        error.ends_with("; check the certificate and the name"),
        "{error}"
    );
    distrustful.stop();
    state(&distrustful, "stopped").await;

    let mut config = quick();
    config.trust = Trust::with([certificate]).unwrap();
    let target = Target::start(stream, url, config, &tracker);
    let mut server = loop {
        let (tcp, _) = within("a connection", listener.accept()).await.unwrap();
        // Tries of the first target may still wait in the queue.
        if let Ok(tls) = acceptor.accept(tcp).await {
            break Incoming::new(tls);
        }
    };
    assert_eq!(server.accept_publish().await, "s3cret");
    assert_eq!(words(&server.take(3).await), "onMetaData0 VH0 AH0");
    assert_eq!(
        server.take(1).await,
        [Got::Video(0, video(0, true, 100_000))]
    );
    target.stop();
    assert_eq!(server.rest().await, [Got::Unpublish]);
}
