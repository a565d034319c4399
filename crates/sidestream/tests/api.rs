//! `/v1` of the running binary.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Answer, Running, ask, run};

/// The answer to whoever has a key.
fn with_key(server: &Running, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let key = format!("Authorization: Bearer {key}");
    ask(&server.http, method, path, &[&key], body)
}

/// A new key, and its hash.
fn new_key(name: &str, scopes: &str) -> (String, String) {
    let made = run(&["key", name, "--scopes", scopes, "--json"], &[]);
    assert_eq!((made.stderr.as_str(), made.code), ("", 0));
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("key"), text("hash"))
}

#[test]
fn hashed_keys_open_what_their_scopes_say_each_for_itself() {
    let (ops, ops_hash) = new_key("ops", "admin");
    let (shop, shop_hash) = new_key("shop", "control");
    let (look, look_hash) = new_key("look", "read");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("keys"), format!("look {look_hash} read\n")).unwrap();
    let path = dir.path().join("s.toml");
    let text = format!(
        "[auth]\nkeys = [{{ name = \"ops\", hash = \"{ops_hash}\" }},\n\
         {{ name = \"shop\", hash = \"{shop_hash}\", scopes = [\"control\"] }}]\n\
         keys_file = \"keys\"\n[storage]\ndata = {:?}\n",
        dir.path().join("data").display().to_string()
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();

    let ports = ["check", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let checked = run(&[&ports[..], &["-c", path]].concat(), &[]);
    assert_eq!((checked.stderr.as_str(), checked.code), ("", 0));
    let explained = "asks for an API key: ops (admin), shop (control), look (read); ";
    assert!(checked.stdout.contains(explained), "{}", checked.stdout);

    let server = Running::serve_with(&["-c", path], &[]);
    let room = "{\"relation_id\": 1}";
    for (key, read, change, policy) in [
        (&ops, 200, 200, 200),
        (&shop, 200, 200, 403),
        (&look, 200, 403, 403),
        (&ops_hash, 401, 401, 401),
    ] {
        let asked = |method, path, body| with_key(&server, key, method, path, body).status;
        assert_eq!(asked("GET", "/v1/rooms", ""), read, "{key}");
        let made = asked("PUT", "/v1/rooms/8001", room);
        assert_eq!(if made == 201 { 200 } else { made }, change, "{key}");
        assert_eq!(asked("PATCH", "/v1/policy", "{}"), policy, "{key}");
    }

    // One idempotency key of two callers is two keys.
    let stop = |key: &str| {
        let key = format!("Authorization: Bearer {key}");
        let headers = [key.as_str(), "Idempotency-Key: same"];
        let path = "/v1/rooms/8001/channels:stop";
        let answer = ask(
            &server.http,
            "POST",
            path,
            &headers,
            "{\"channel_ids\": [\"7\"]}",
        );
        assert_eq!(answer.status, 200, "{}", answer.head);
        answer.header("idempotent-replay").map(str::to_owned)
    };
    assert_eq!(stop(&ops), None);
    assert_eq!(stop(&shop), None);
    assert_eq!(stop(&shop), Some("true".to_owned()));

    let (log, code, _) = server.stop("TERM");
    assert_eq!(code, 0);
    for secret in [&ops, &shop, &look] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
}
