#![allow(clippy::unwrap_used)]
use super::*;

fn problems(text: &str) -> Vec<String> {
    let error = Config::from_toml("sidestream.toml", text).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Loader::new()
        .environment(
            variables
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        )
        .load()
}

/// `docs/sidestream.toml` with the `#` before each key taken away.
fn reference() -> (String, String) {
    let commented = include_str!("../../../../docs/sidestream.toml").to_owned();
    let lines = commented.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    (commented, text)
}

#[test]
fn the_reference_equals_the_defaults_and_names_every_key() {
    let (commented, text) = reference();
    let loaded = Loader::new().text("docs/sidestream.toml", &text).load();
    let loaded = loaded.unwrap_or_else(|error| panic!("{:#?}", error.problems));
    assert_eq!(loaded.config, Config::default());
    let unset: Vec<_> = loaded
        .settings()
        .filter(|(.., origin)| *origin == Origin::Default)
        .map(|(section, key, ..)| format!("{section}.{key}"))
        .collect();
    assert_eq!(unset, Vec::<String>::new(), "missing in the reference");
    let as_shipped = Loader::new()
        .text("docs/sidestream.toml", &commented)
        .load();
    assert_eq!(
        as_shipped.unwrap().keys_set(),
        0,
        "the shipped file sets nothing"
    );
}

#[test]
fn an_unknown_key_is_named_with_line_column_and_nearest() {
    let text = format!("{}[fanout]\nbacth = \"50ms\"\n", "\n".repeat(12));
    assert_eq!(
        problems(&text),
        [r#"sidestream.toml:14:1: unknown key "bacth" in [fanout]; did you mean "batch"?"#]
    );
}

#[test]
fn a_bare_number_is_answered_with_the_spelling() {
    let text = format!("{}[hls]\nsegment = 2\n", "\n".repeat(20));
    assert_eq!(
        problems(&text),
        [
            r#"sidestream.toml:22:11: hls.segment is a duration, found the number 2; write segment = "2s""#
        ]
    );
}

#[test]
fn all_problems_are_reported_in_reading_order() {
    let text = r#"
listen = "0.0.0.0:1"
[rtpm]
[rtmp]
listen = "here"
play_wait = 500
chunk_size = "big"
[http]
cors = "*"
batch = "auto"
[hls]
variants = true
enabled = "yes"
segments = 1
[limits]
message = 8
[streams]
on_conflict = "replce"
unknown_publish = "regect"
[recrd]
dir = "x"
[log]
level = "inof"
"#;
    assert_eq!(
        problems(text),
        [
            r#"sidestream.toml:2:1: unknown key "listen" outside of a section; write [SECTION] above it"#,
            r#"sidestream.toml:3:2: unknown section [rtpm]; did you mean [rtmp]?"#,
            r#"sidestream.toml:5:10: rtmp.listen: "here" is not an address; write listen = "0.0.0.0:1935", or "" for none"#,
            r#"sidestream.toml:6:13: rtmp.play_wait is a duration, found the number 500; write play_wait = "500s" or "500ms""#,
            r#"sidestream.toml:7:14: rtmp.chunk_size is a whole number, found the text "big"; write chunk_size = 1000"#,
            r#"sidestream.toml:9:8: http.cors is a list of texts, found the text "*"; write cors = ["…"]"#,
            r#"sidestream.toml:10:1: unknown key "batch" in [http]; it belongs to [fanout]"#,
            r#"sidestream.toml:12:1: unknown key "variants" in [hls]; there are enabled, always, segment, low_latency, part, part_ranges, segments, idle, timed_metadata, dvr, dvr_dir, dvr_formats, dvr_min_free"#,
            r#"sidestream.toml:13:11: hls.enabled is true or false, found the text "yes"; write enabled = true or enabled = false"#,
            r#"sidestream.toml:14:12: hls.segments: 1 is not between 3 and 1000"#,
            r#"sidestream.toml:16:11: limits.message is a size, found the number 8; write message = "8MiB" or "8MB""#,
            r#"sidestream.toml:18:15: streams.on_conflict: "replce" is none of "refuse", "replace"; did you mean "replace"?"#,
            r#"sidestream.toml:19:19: streams.unknown_publish: "regect" is none of "auto", "adopt", "reject"; did you mean "reject"?"#,
            r#"sidestream.toml:20:2: unknown section [recrd]; did you mean [record]?"#,
            r#"sidestream.toml:23:9: log.level: unknown level "inof"; did you mean "info"?"#,
        ]
    );
}

#[test]
fn settings_that_need_or_exclude_each_other() {
    let text = "[rtmps]\nlisten = \"0.0.0.0:1936\"\n[https]\nlisten = \":8080\"\ncert = \"c\"\n";
    assert_eq!(
        problems(text),
        [
            "sidestream.toml:2:10: rtmps.listen is set, rtmps.cert is not; set it or remove [rtmps]",
            "sidestream.toml:4:10: https.listen: 0.0.0.0:8080 is also http.listen; choose another port",
            "sidestream.toml:5:8: https.cert is set, https.key is not; set it or remove [https]",
        ]
    );
}

#[test]
fn push_targets_are_read_and_checked() {
    let text =
        "[[push]]\nmatch = \"live/*\"\nurl = \"rtmp://a.example/live2/{stream}\"\nqueue = \"5s\"\n";
    let config = Config::from_toml("c", text).unwrap();
    assert_eq!(config.push.len(), 1);
    assert_eq!(config.push[0].queue, Duration::from_secs(5));
    assert_eq!(config.push[0].retry_max, Duration::from_secs(60));

    let text = "[[push]]\nmatch = \"live/*\"\nstream = \"live/a\"\nurl = \"http://a/b/c\"\n[[push]]\nstraem = \"a\"\n";
    assert_eq!(
        problems(text),
        [
            "sidestream.toml:2:9: push has match and stream; keep one",
            "sidestream.toml:4:7: push.url: url does not start with rtmp:// or rtmps://",
            "sidestream.toml:5:1: push has neither match nor stream; write match = \"live/*\"",
            "sidestream.toml:5:1: push has no url; write url = \"rtmp://HOST/APP/KEY\"",
            "sidestream.toml:6:1: unknown key \"straem\" in [[push]]; did you mean \"stream\"?",
        ]
    );
    assert!(
        !format!("{config:?}").contains("live2"),
        "the URL may hold a key"
    );
}

#[test]
fn ladders_are_read_and_checked() {
    let text = "[hls]\nsegment = \"1s\"\n[[hls.ladder]]\nname = \"live/{name}\"\nrungs = [\"live/{name}_hd\", \"live/{name}_sd\"]\n";
    let config = Config::from_toml("c", text).unwrap();
    assert_eq!(
        config.hls.ladder[0].rungs,
        ["live/{name}_hd", "live/{name}_sd"]
    );

    let text = "[[hls.ladder]]\nname = \"live/{name}\"\nrungs = [\"live/{name}\"]\n[[hls.ladder]]\nname = \"live/a\"\nrung = [\"live/b\"]\n";
    assert_eq!(
        problems(text),
        [
            r#"sidestream.toml:1:1: hls.ladder: "live/{name}" is the name of a ladder; rungs are published streams"#,
            r#"sidestream.toml:4:1: hls.ladder: 0 rungs; there may be 1 to 16"#,
            r#"sidestream.toml:6:1: unknown key "rung" in [[hls.ladder]]; did you mean "rungs"?"#,
        ]
    );
}

#[test]
fn recording_rules_are_read_and_checked() {
    let text = "[record]\nmin_free = \"2GiB\"\n[[record.rule]]\nmatch = \"live/*\"\nformats = [\"mp4\", \"hls\"]\nsplit_at = \"day\"\n";
    let config = Config::from_toml("c", text).unwrap();
    assert_eq!(config.record.min_free.0, 2 << 30);
    let rule = &config.record.rule[0];
    assert_eq!(rule.formats, [::record::Format::Mp4, ::record::Format::Hls]);
    assert_eq!(rule.split_at, Some(::record::Clock::Day));
    assert!(rule.takes(&media::StreamName::from_path("live/a").unwrap()));
    assert!(!rule.takes(&media::StreamName::from_path("other/a").unwrap()));

    let text = "[record]\nname = \"../{app}\"\n[[record.rule]]\nformats = [\"aac\"]\n[[record.rule]]\nmatch = \"*\"\nname = \"{strem}\"\nsplit = \"10ms\"\nformat = \"mp4\"\n";
    assert_eq!(
        problems(text),
        [
            r#"sidestream.toml:2:8: record.name "../{app}": a part of the path begins with ".""#,
            r#"sidestream.toml:3:1: record.rule has neither match nor stream; write match = "live/*""#,
            r#"sidestream.toml:4:11: record.rule.formats: aac holds sound only; write media = "audio""#,
            r#"sidestream.toml:7:8: record.rule.name "{strem}": unknown {strem}; there are {app}, {stream}, {start:%Y%m%d-%H%M%S}, {index}, {id}"#,
            r#"sidestream.toml:8:9: record.rule.split: files of less than 1s; write split = "1h", or 0 for one file"#,
            r#"sidestream.toml:9:1: unknown key "format" in [[record.rule]]; did you mean "formats"?"#,
        ]
    );
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let file = "[rtmp]\nlisten = \"1.1.1.1:1\"\nplay_wait = \"1s\"\n[fanout]\nbatch = \"frame\"\n";
    let loaded = Loader::new()
        .text("f.toml", file)
        .environment([
            ("SIDESTREAM_RTMP__LISTEN".to_owned(), "2.2.2.2:2".to_owned()),
            ("SIDESTREAM_FANOUT__BATCH".to_owned(), "50ms".to_owned()),
            (
                "SIDESTREAM_HTTP__CORS".to_owned(),
                "[\"https://a.example\"]".to_owned(),
            ),
            ("PATH".to_owned(), "/bin".to_owned()),
        ])
        .flag("--rtmp", "rtmp", "listen", "3.3.3.3:3")
        .load()
        .unwrap();
    let config = &loaded.config;
    assert_eq!(config.rtmp.listen, Some(([3, 3, 3, 3], 3).into()));
    assert_eq!(config.rtmp.play_wait, Duration::from_secs(1));
    assert_eq!(config.fanout.batch, Batch::Time(Duration::from_millis(50)));
    assert_eq!(config.http.cors, ["https://a.example"]);
    assert_eq!(config.hls, Hls::default());
    assert_eq!(loaded.keys_set(), 4);
    let origin = |name: &str| {
        let (.., origin) = loaded
            .settings()
            .find(|(s, k, ..)| format!("{s}.{k}") == name)
            .unwrap();
        origin
    };
    assert_eq!(origin("rtmp.listen"), Origin::Set(Place::Flag("--rtmp")));
    assert_eq!(
        origin("fanout.batch"),
        Origin::Set(Place::Environment("SIDESTREAM_FANOUT__BATCH".to_owned()))
    );
    assert_eq!(origin("hls.segment"), Origin::Default);
}

#[test]
fn an_unknown_variable_is_an_error_with_the_nearest_name() {
    let error = from_environment(&[("SIDESTREAM_FANOUT__BACTH", "1ms")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SIDESTREAM_FANOUT__BACTH: unknown variable; did you mean SIDESTREAM_FANOUT__BATCH?"
    );
    let error = from_environment(&[("SIDESTREAM_RTMP__PLAY_WAIT", "30")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"SIDESTREAM_RTMP__PLAY_WAIT: rtmp.play_wait: "30" has no unit; write "30s" or "30ms""#
    );
    let error = from_environment(&[("SIDESTREAM_HLS__ENABLED", "maybe"), ("SIDESTREAM_X", "")]);
    assert_eq!(error.unwrap_err().problems.len(), 2);
    let off = from_environment(&[
        ("SIDESTREAM_RTMP__LISTEN", ""),
        ("SIDESTREAM_HLS__SEGMENTS", "5"),
    ]);
    let off = off.unwrap().config;
    assert_eq!((off.rtmp.listen, off.hls.segments), (None, 5));
}

#[test]
fn api_keys_are_secrets() {
    let text = r#"
[auth]
keys = [{ name = "ops", key = "ss_live_0123456789abcdef" }, "ss_live_fedcba9876543210"]
"#;
    let loaded = Loader::new().text("c", text).load().unwrap();
    assert_eq!(loaded.config.mode(), "keyed");
    assert_eq!(
        loaded.config.auth.keys[1],
        ApiKey::new("key2", "ss_live_fedcba9876543210")
    );
    assert!(!format!("{:?}", loaded.config).contains("0123456789abcdef"));
    assert!(
        loaded
            .settings()
            .all(|(.., shown, _)| !shown.contains("0123456789abcdef"))
    );
    let short = problems("[auth]\nkeys = [\"short\"]\n");
    assert_eq!(short.len(), 1);
    assert!(!short[0].contains("\"short\""), "{short:?}");

    let file = "# comment\n\nops ss_live_0123456789abcdef\nss_live_fedcba9876543210\n";
    let keys = api_key::parse_keys_file(file, 0).unwrap();
    assert_eq!(keys[0].name, "ops");
    assert_eq!(keys[1].name, "key2");
    assert_eq!(api_key::parse_keys_file("x\n", 0).unwrap_err().0, 1);
}

#[test]
fn syntax_errors_have_a_place_and_do_not_hide_the_rest() {
    let found = problems("[rtmp]\nlisten = \n[fanuot]\nworkers = 1\n");
    assert!(found[0].starts_with("sidestream.toml:2:"), "{found:?}");
    assert!(
        found.contains(
            &"sidestream.toml:3:2: unknown section [fanuot]; did you mean [fanout]?".to_owned()
        ),
        "{found:?}"
    );
}

#[test]
fn rules_of_encryption_are_read_and_checked() {
    let text = "[[hls.encryption]]\nmatch = \"live/*\"\nmethod = \"cbcs\"\nrotate = \"10m\"\n\
                key_url = \"https://keys.example.com/{app}/{stream}/{key}?token=hushhush\"\n\
                [[hls.encryption]]\nstream = \"a/b\"\nrotate_segments = 5\n";
    let config = Loader::new().text("c", text).load().unwrap().config;
    let [first, second] = config.hls.encryption.as_slice() else {
        panic!("two rules");
    };
    assert_eq!(first.method, Some(hls::Method::Cbcs));
    assert_eq!(
        first.rotation(),
        hls::Rotation::Media(Duration::from_secs(600))
    );
    assert!(!format!("{config:?}").contains("hushhush"));
    assert_eq!(second.method, Some(hls::Method::Aes128));
    let notes = config.encryption_notes();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("hls.encryption of a/b: aes-128 encrypts whole segments"));

    let text = "[[hls.encryption]]\nmethod = \"des\"\n\
                [[hls.encryption]]\nmatch = \"*\"\nrotate = \"10ms\"\nrotate_segments = 1\n\
                key_url = \"ftp://secret\"\nkey_timeout = \"0s\"\n\
                [[hls.encryption]]\nstream = \"b\"\nkey_url = \"http://secret\"\nkey = 1\n";
    let error = Loader::new().text("c", text).load().unwrap_err();
    let found: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    assert!(!found.concat().contains("secret"), "{found:#?}");
    assert_eq!(
        found,
        [
            r#"c:1:1: hls.encryption.match: neither match nor stream is set; write match = "live/*""#,
            r#"c:2:10: hls.encryption.method: "des" is none of "aes-128", "cbcs", "none""#,
            "c:5:10: hls.encryption.rotate: 10ms is less than 1s; 0 keeps one key",
            "c:6:19: hls.encryption.rotate_segments: rotate is set, too; keep one",
            r#"c:7:11: hls.encryption.key_url: not an http:// or https:// URL; write key_url = "https://keys.example.com/{app}/{stream}/{key}""#,
            "c:8:15: hls.encryption.key_timeout: 0s is not between 100ms and 60s",
            "c:10:10: hls.encryption.stream: expected APP/STREAM",
            "c:11:11: hls.encryption.key_url: has no {key}, so all keys would be one; put it into the URL",
            r#"c:12:1: unknown key "key" in [[hls.encryption]]; there are match, stream, method, rotate, rotate_segments, key_url, key_timeout"#,
        ]
    );
}

#[test]
fn encryption_is_not_set_by_the_environment() {
    let error = from_environment(&[("SIDESTREAM_HLS__ENCRYPTION", "x")]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("write [[hls.encryption]] there"), "{error}");
}
