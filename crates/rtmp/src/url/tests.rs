#![allow(clippy::unwrap_used)]

use super::*;

fn parse(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn last_part_is_the_stream_and_the_rest_the_application() {
    for (text, app, stream) in [
        ("rtmp://h/live/room", "live", "room"),
        ("rtmp://h/app/instance/stream", "app/instance", "stream"),
        (
            "rtmp://h/live/room?token=a/b&c=d",
            "live",
            "room?token=a/b&c=d",
        ),
        ("rtmp://h//live//room", "live", "room"),
        ("RTMP://h/live/%41", "live", "%41"),
    ] {
        let url = parse(text);
        assert_eq!((url.app(), url.stream_key()), (app, stream), "{text}");
    }
}

#[test]
fn host_and_port_are_found_with_their_defaults() {
    for (text, scheme, host, port, tc_url) in [
        (
            "rtmp://a.example/l/s",
            Scheme::Rtmp,
            "a.example",
            1935,
            "rtmp://a.example/l",
        ),
        (
            "rtmps://a.example/l/s",
            Scheme::Rtmps,
            "a.example",
            443,
            "rtmps://a.example/l",
        ),
        (
            "rtmp://a.example:19350/l/s",
            Scheme::Rtmp,
            "a.example",
            19_350,
            "rtmp://a.example:19350/l",
        ),
        (
            "rtmp://[2001:db8::1]:1936/l/s",
            Scheme::Rtmp,
            "2001:db8::1",
            1936,
            "rtmp://[2001:db8::1]:1936/l",
        ),
        (
            "rtmps://[::1]/l/s",
            Scheme::Rtmps,
            "::1",
            443,
            "rtmps://[::1]/l",
        ),
    ] {
        let url = parse(text);
        assert_eq!(
            (url.scheme(), url.host(), url.port()),
            (scheme, host, port),
            "{text}"
        );
        assert_eq!(url.tc_url(), tc_url);
    }
}

#[test]
fn display_and_debug_hide_the_stream() {
    let url = parse("rtmp://a.example/live2/secret-key?token=secret");
    assert_eq!(url.to_string(), "rtmp://a.example/live2/****");
    assert_eq!(format!("{url:?}"), "Url(rtmp://a.example/live2/****)");
    let config = crate::ClientConfig::from_url(&url);
    assert_eq!(config.stream_key, "secret-key?token=secret");
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn what_is_not_an_rtmp_url_is_refused_with_a_reason() {
    for (text, error) in [
        ("http://h/a/s", ParseUrlError::Scheme),
        ("h/a/s", ParseUrlError::Scheme),
        ("rtmp://", ParseUrlError::Host),
        ("rtmp:///a/s", ParseUrlError::Host),
        ("rtmp://[::1/a/s", ParseUrlError::Host),
        ("rtmp://[host]/a/s", ParseUrlError::Host),
        ("rtmp://[::1]x/a/s", ParseUrlError::Host),
        ("rtmp://user:pass@h/a/s", ParseUrlError::UserInfo),
        ("rtmp://h:0/a/s", ParseUrlError::Port),
        ("rtmp://h:65536/a/s", ParseUrlError::Port),
        ("rtmp://h:+1/a/s", ParseUrlError::Port),
        ("rtmp://h:/a/s", ParseUrlError::Port),
        ("rtmp://h", ParseUrlError::App),
        ("rtmp://h/stream", ParseUrlError::Stream),
        ("rtmp://h/live/", ParseUrlError::Stream),
        ("rtmp://h/live/?x", ParseUrlError::Stream),
        ("rtmp://h/live/a b", ParseUrlError::Character),
        ("rtmp://h/live/a\r\nb", ParseUrlError::Character),
    ] {
        assert_eq!(text.parse::<Url>(), Err(error), "{text}");
    }
}
