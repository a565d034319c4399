//! Stream names: one normaliser before every protocol.

use e2e::http;
use e2e::rtmp::{Client, Error};
use e2e::server::Server;

/// Names that must be refused on every way in.
const BAD: [&str; 9] = [
    "..",
    ".",
    "a/../b",
    "%2e%2e",
    "a\u{202e}b",
    "a\r\nb",
    "a\u{0}b",
    "a\u{7f}b",
    "a\u{1b}[31mb",
];

#[test]
fn bad_names_are_refused_when_publishing_and_nothing_is_written() {
    let mut server = Server::start();
    let long = "n".repeat(256);
    for name in BAD.iter().copied().chain([long.as_str()]) {
        match Client::publish(&server.rtmp, "live", name) {
            Err(Error::Refused { code, description }) => {
                assert!(code.starts_with("NetStream.Publish."), "{name:?}: {code}");
                assert!(
                    !description.is_empty(),
                    "{name:?} is refused without a reason"
                );
                assert!(
                    description.chars().all(|c| !c.is_control()),
                    "{name:?} in {description:?}"
                );
            }
            Err(Error::Io(error)) => panic!("{name:?}: closed without a status: {error}"),
            Ok(_) => panic!("{name:?} is accepted"),
        }
    }
    for app in ["..", "a/../..", "%2e%2e", "live\u{202e}"] {
        assert!(Client::publish(&server.rtmp, app, "x").is_err(), "{app:?}");
    }
    server.assert_alive();
    let listed = server.get("/v1/streams").json();
    assert_eq!(listed["total"], 0, "{listed}");
    let log = server.log();
    assert!(
        !log.contains('\u{1b}') && !log.contains('\u{202e}'),
        "log lines are escaped: {log}"
    );
}

#[test]
fn bad_names_are_refused_over_http_and_not_echoed_as_html() {
    let server = Server::start();
    for path in [
        "/live/../secret.flv",
        "/live/%2e%2e.flv",
        "/live/%2e%2e/%2e%2e/etc/passwd.m3u8",
        "/live/a%00b.flv",
        "/live/a%0d%0aSet-Cookie:x.m3u8",
        "/live/a%E2%80%AEb.ts",
        "/live/%252e%252e.flv",
        "/watch/live/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/live/%3Cscript%3E.m3u8",
        "/live/%ff.flv",
    ] {
        let response = http::get_with(&server.http, path, &[("Accept", "text/html")]);
        assert!(
            matches!(response.status, 200 | 400 | 404),
            "{path}: {}",
            response.status
        );
        let text = response.text();
        assert!(!text.contains("<script>alert"), "{path}: {text}");
        assert!(!text.contains("root:"), "{path}: {text}");
        assert!(response.header("set-cookie").is_none(), "{path}");
        if response.status == 200 {
            assert!(path.starts_with("/watch/"), "{path} is served");
        }
    }
}

#[test]
fn a_percent_encoded_name_is_one_name_everywhere() {
    let server = Server::start();
    let mut client = Client::publish(&server.rtmp, "live", "caf%C3%A9").unwrap();
    let tags = e2e::flv::read_file(&e2e::media::testdata("audio-only.flv"));
    e2e::rtmp::push_tags(&mut client, &tags, e2e::rtmp::Pace::Unpaced).unwrap();
    e2e::wait::until("live/café", e2e::wait::secs(5), || {
        server.stream("live/caf%C3%A9")
    });
    let (head, _) = http::open("GET", &server.http, "/live/caf%C3%A9.flv", &[]).unwrap();
    assert_eq!(head.status, 200);
}

#[test]
fn the_query_of_a_name_is_no_part_of_it() {
    let server = Server::start();
    let mut client = Client::publish(&server.rtmp, "live", "cam?token=secret").unwrap();
    let tags = e2e::flv::read_file(&e2e::media::testdata("audio-only.flv"));
    e2e::rtmp::push_tags(&mut client, &tags, e2e::rtmp::Pace::Unpaced).unwrap();
    server.wait_for_stream("live/cam");
    assert!(
        !server.log().contains("secret"),
        "queries stay out of the log"
    );
}
