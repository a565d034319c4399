#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn first_byte_of_other_protocols_is_an_error_at_once_that_says_which() {
    for (bytes, text) in [
        (
            &b"GET / HTTP/1.1\r\n"[..],
            "not rtmp: looks like http (first byte 0x47)",
        ),
        (&b"POST"[..], "not rtmp: looks like http (first byte 0x50)"),
        (
            &[0x16, 3, 1][..],
            "not rtmp: looks like tls: use rtmps, or the rtmps port (first byte 0x16)",
        ),
        (&[6][..], "rtmp version 6 is not supported"),
        (
            &[0][..],
            "not rtmp: looks like an unknown protocol (first byte 0x00)",
        ),
    ] {
        let mut out = Vec::new();
        let error = Handshake::server()
            .read(&mut &bytes[..1], &mut out)
            .unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(out.is_empty());
    }
}

#[test]
fn plain_c1_is_echoed_as_s2_at_once() {
    let c1: Vec<u8> = (0..1536_u32).map(|i| i.to_be_bytes()[3]).collect();
    let mut handshake = Handshake::server();
    let mut out = Vec::new();
    assert!(
        !handshake
            .read(&mut &[&[3], &c1[..]].concat()[..], &mut out)
            .unwrap()
    );
    assert_eq!((out.len(), out[0]), (1 + 1536 + 1536, 3));
    assert_eq!(out[1537..], c1);
    // A C2 that echoes nothing, byte by byte, and then a chunk in the same read.
    for _ in 0..1535 {
        assert!(!handshake.read(&mut &[0][..], &mut out).unwrap());
    }
    let mut input: &[u8] = &[0, 0xaa, 0xbb];
    assert!(handshake.read(&mut input, &mut out).unwrap());
    assert_eq!(input, [0xaa, 0xbb]);
    assert_eq!(out.len(), 3073);
}

#[test]
fn client_and_server_agree_on_the_digest_form_for_any_split() {
    for piece in [1, 100, 4000] {
        let (mut client, first) = Handshake::client().unwrap();
        let mut server = Handshake::server();
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        for mut part in first.chunks(piece) {
            assert!(!server.read(&mut part, &mut to_client).unwrap());
        }
        assert_ne!(to_client[1537..], first[1..], "a digest answer, no echo");
        let parts = to_client.chunks(piece);
        let done: Vec<_> = parts
            .map(|mut part| client.read(&mut part, &mut to_server).unwrap())
            .collect();
        assert_eq!(
            (done.last(), done.iter().filter(|done| **done).count()),
            (Some(&true), 1)
        );
        let done = to_server
            .chunks(piece)
            .map(|mut part| server.read(&mut part, &mut Vec::new()).unwrap());
        assert_eq!(done.filter(|done| *done).count(), 1);
    }
}
