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

#[test]
fn reload_tells_what_changed_or_every_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.toml");
    let (ops, look) = ("ss_live_0123456789abcdef", "ss_live_fedcba9876543210");
    let text = format!(
        "[auth]\nkeys = [{{ name = \"ops\", key = \"{ops}\" }},\n\
         {{ name = \"look\", key = \"{look}\", scopes = [\"control\"] }}]\n\
         [storage]\ndata = {:?}\n\
         [control]\ncommon_access_key = \"5d41402abc4b2a76b9719d911017c592\"\n",
        dir.path().join("data").display().to_string()
    );
    std::fs::write(&path, &text).unwrap();
    let server = Running::serve_with(&["-c", path.to_str().unwrap()], &[]);
    let reload = |key: &str| with_key(&server, key, "POST", "/v1/reload", "");
    assert_eq!(reload(look).status, 403);
    let done = reload(ops);
    assert_eq!(done.status, 200, "{}", done.head);
    let applied = done.json()["applied"].clone();
    assert!(
        applied.as_array().unwrap().contains(&"auth".into()),
        "{applied}"
    );
    assert_eq!(done.json()["kept_until_restart"], serde_json::json!([]));

    // The key of the classic face, good for a time.
    let classic = "/common_access?interface=Live_Channel_GetChannelList&t=4102444800&sign=";
    for (sign, ret) in [
        ("c105780dcf205554f82711ac0954637c", 0),
        ("c105780dcf205554f82711ac0954637d", 1001),
    ] {
        let answer = ask(&server.http, "GET", &format!("{classic}{sign}"), &[], "");
        assert_eq!(answer.json()["ret"], ret, "{sign}");
    }

    std::fs::write(&path, format!("{text}[hls]\nsegmnts = 5\nsegment = 2\n")).unwrap();
    let refused = reload(ops);
    assert_eq!(refused.status, 422);
    let problem = refused.json();
    assert_eq!(problem["reason"], "CONFIGURATION_INVALID");
    let place = |line: &str| format!("{}:{line}", path.display());
    let errors = problem["errors"].as_array().unwrap();
    let places: Vec<&str> = errors
        .iter()
        .map(|e| e["place"].as_str().unwrap())
        .collect();
    assert_eq!(places, [place("9:1"), place("10:11")], "{problem:#}");
    let first = errors[0]["detail"].as_str().unwrap();
    assert!(first.contains("did you mean \"segments\"?"), "{first}");
    assert!(!refused.body.windows(8).any(|part| part == b"ss_live_"));

    std::fs::write(
        &path,
        format!("{text}[hls]\nsegments = 5\n").replace(look, ops),
    )
    .unwrap();
    let same = reload(ops).json();
    assert_eq!(
        same["errors"][0]["detail"],
        "auth.keys: \"ops\" and \"look\" are the same key; remove one"
    );
    std::fs::write(&path, format!("{text}[hls]\nsegments = 5\n")).unwrap();
    assert_eq!(
        reload(ops).json()["kept_until_restart"],
        serde_json::json!(["hls"])
    );
    server.wait_for("/v1/reload: configuration reloaded");
    server.signal("HUP");
    server.wait_for("SIGHUP: configuration reloaded");
    assert_eq!(server.stop("TERM").1, 0);
}

#[test]
fn a_url_for_players_opens_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (key, data) = ("ss_live_0123456789abcdef", dir.path().display().to_string());
    let keys = format!("[\"{key}\"]");
    let serve = || {
        let data = ["--data", data.as_str()];
        Running::serve_with(&data, &[("SIDESTREAM_AUTH__KEYS", keys.as_str())])
    };
    let first = serve();
    let start = "{\"user_id\": \"anchor_7\", \"channel\": {\"password\": \"open sesame\"}}";
    with_key(&first, key, "PUT", "/v1/rooms/8001", "{}");
    let channel = with_key(&first, key, "POST", "/v1/rooms/8001/channels", start).json();
    let code = channel["stream_id"].as_str().unwrap().to_owned();
    let clip = format!("{}/../../testdata/bframes.flv", env!("CARGO_MANIFEST_DIR"));
    let push = |server: &Running| {
        let url = format!("rtmp://{}/live/{code}", server.rtmp);
        let push = support::sidestream(&["push", &clip, &url, "--loop", "-q"]).spawn();
        support::Killed(push.unwrap())
    };
    let open = |server: &Running, query: &str| {
        let path = format!("/live/{code}.m3u8{query}");
        ask(&server.http, "GET", &path, &[], "").status
    };
    let until_open = |server: &Running, query: &dyn Fn() -> String| {
        let began = std::time::Instant::now();
        loop {
            let query = query();
            match open(server, &query) {
                200 => return query,
                other => assert!(began.elapsed().as_secs() < 30, "{other}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let pushing = push(&first);
    let issued = until_open(&first, &|| {
        let path = format!("/v1/play/{code}/token");
        let issued = with_key(&first, key, "POST", &path, "").json();
        format!("?token={}", issued["token"].as_str().unwrap())
    });
    drop(pushing);
    assert_eq!(first.stop("TERM").1, 0);

    let second = serve();
    let _pushing = push(&second);
    until_open(&second, &|| issued.clone());
    assert_eq!(open(&second, ""), 403);
    assert_eq!(open(&second, &format!("{issued}x")), 403);
}
