//! The classic faces, by the requests of their clients.

use http::{Method, StatusCode};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::control::Relay;

const PATH: &str =
    "/v3/openim/videorelay?usersig=x&identifier=admin&random=99999999&apn=0&contenttype=json";

fn bypass(user: &str, fields: &Value) -> Value {
    json!({
        "reqhead": {"uint32_sub_cmd": 6, "uint32_seq": 1, "uint32_auth_key": 15000,
            "uint32_sdk_appid": 1_400_000_001, "rpt_to_Account": [user], "bytes_cookie_buff": "5655"},
        "reqbody": {"req_0x6": fields},
    })
}

fn record(user: &str, fields: &Value) -> Value {
    json!({
        "reqhead": {"uint32_sub_cmd": 5, "uint32_seq": 2, "uint32_auth_key": 15000,
            "rpt_to_Account": [user]},
        "reqbody": {"req_0x5": fields},
    })
}

/// A relay whose room 8001 is group 15000, with `anchor_7` in it.
async fn relay() -> Relay {
    let relay = Relay::new().await;
    let room = json!({"relation_id": 15000});
    assert_eq!(
        relay
            .send(Method::PUT, "/v1/rooms/8001", &room)
            .await
            .status,
        StatusCode::OK
    );
    relay
        .send_with(Method::PUT, "/v1/rooms/8001/members/anchor_7", "", &[])
        .await;
    relay
}

async fn ask(relay: &Relay, body: &Value) -> Value {
    let answer = relay.send(Method::POST, PATH, body).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

/// What the client in the wild takes for success.
fn is_success(answer: &Value) -> bool {
    let blank = |value: &Value| value.as_str().is_none_or(str::is_empty);
    blank(&answer["ActionStatus"]) && blank(&answer["rspbody"]["rsp_0x6"]["str_errorinfo"])
}

#[tokio::test]
async fn videorelay_starts_stops_and_says_that_it_runs() {
    let relay = relay().await;
    let start = bypass(
        "anchor_7",
        &json!({
            "uint32_oper": 1, "uint32_live_code": 6, "uint32_sdk_type": 1, "str_channel_name": "c",
            "str_channel_describe": "d", "uint32_push_data_type": 0, "uint32_tape_flag": 1,
        }),
    );
    let started = ask(&relay, &start).await;
    assert!(is_success(&started), "{started}");
    assert_eq!(
        started["reqhead"],
        json!({
            "uint32_sub_cmd": 6, "uint32_seq": 1, "uint32_auth_key": 15000,
            "uint32_sdk_appid": 1_400_000_001, "bytes_cookie_buff": "5655", "uint32_result": 0,
        })
    );
    let reply = &started["rspbody"]["rsp_0x6"];
    let id = reply["uint64_channel_id"].as_u64().unwrap();
    assert!(id > 0 && id < 1 << 63);
    assert!(reply["uint32_tape_task_id"].is_u64());
    let types: Vec<_> = reply["msg_live_url"]
        .as_array()
        .unwrap()
        .iter()
        .map(|url| url["uint32_type"].clone())
        .collect();
    assert_eq!(types, [1, 5]);
    assert!(
        reply["msg_live_url"][0]["string_play_url"]
            .as_str()
            .unwrap()
            .ends_with(".m3u8")
    );
    assert_eq!(reply["msg_live_url"][0]["RateType"], 0);
    let native = relay.bench.get(&format!("/v1/channels/{id}")).await.json();
    assert_eq!(
        (&native["room_id"], &native["name"]),
        (&json!("8001"), &json!("c"))
    );

    let again = ask(&relay, &start).await;
    assert!(!is_success(&again));
    assert_eq!(again["rspbody"]["rsp_0x6"]["uint32_result"], 40_000_415);
    let stop = bypass(
        "anchor_7",
        &json!({"uint32_oper": 2, "uint32_sdk_type": 1, "uint32_push_data_type": 0}),
    );
    assert!(is_success(&ask(&relay, &stop).await));
    let again = ask(&relay, &stop).await;
    assert_eq!(again["rspbody"]["rsp_0x6"]["uint32_result"], 40_000_412);
    let resumed = ask(&relay, &start).await;
    assert_eq!(resumed["rspbody"]["rsp_0x6"]["uint64_channel_id"], id);
}

#[tokio::test]
async fn videorelay_refuses_by_the_public_numbers() {
    let relay = relay().await;
    for (body, want) in [
        (bypass("anchor_7", &json!({})), 40_000_002),
        (bypass("anchor_7", &json!({"uint32_oper": 3})), 40_000_005),
        (bypass("anchor_7", &json!({"uint32_oper": 1})), 40_000_003),
        (
            bypass(
                "anchor_7",
                &json!({"uint32_oper": 1, "uint32_live_code": 4}),
            ),
            40_000_003,
        ),
        (
            bypass(
                "anchor_7",
                &json!({"uint32_oper": 1, "uint32_live_code": 1, "uint32_push_data_type": 2}),
            ),
            40_000_004,
        ),
        (
            bypass("nobody", &json!({"uint32_oper": 1, "uint32_live_code": 1})),
            40_000_411,
        ),
        (
            bypass(
                "anchor_7",
                &json!({"uint32_oper": 1, "uint32_live_code": 1, "uint32_tape_flag": 1, "uint32_record_type": 16}),
            ),
            30_000_050,
        ),
    ] {
        let answer = ask(&relay, &body).await;
        assert_eq!(
            answer["rspbody"]["rsp_0x6"]["uint32_result"], want,
            "{body}: {answer}"
        );
        assert!(!is_success(&answer));
    }
    let mut two = bypass("a", &json!({"uint32_oper": 1, "uint32_live_code": 1}));
    two["reqhead"]["rpt_to_Account"] = json!(["a", "b"]);
    assert_eq!(
        ask(&relay, &two).await["rspbody"]["rsp_0x6"]["uint32_result"],
        40_000_006
    );
    let mut zero = bypass("a", &json!({"uint32_oper": 1, "uint32_live_code": 1}));
    zero["reqhead"]["uint32_auth_key"] = json!(0);
    assert_eq!(
        ask(&relay, &zero).await["rspbody"]["rsp_0x6"]["uint32_result"],
        40_000_007
    );
    for (body, result) in [
        ("{", -1),
        ("{}", -4),
        (r#"{"reqhead":{"uint32_sub_cmd":1}}"#, -4),
        (r#"{"reqhead":{"uint32_sub_cmd":6}}"#, -2),
    ] {
        let answer = relay.send_with(Method::POST, PATH, body, &[]).await.json();
        assert_eq!(answer["reqhead"]["uint32_result"], result, "{body}");
        assert!(!is_success(&answer));
    }
}

#[tokio::test]
async fn videorelay_records_by_the_classic_rules() {
    let relay = relay().await;
    let nameless = record("anchor_7", &json!({"uint32_oper": 1}));
    assert_eq!(
        ask(&relay, &nameless).await["rspbody"]["rsp_0x5"]["uint32_result"],
        30_000_002
    );
    let two = json!({"uint32_oper": 1, "string_file_name": "x"});
    let mut two = record("a", &two);
    two["reqhead"]["rpt_to_Account"] = json!([]);
    assert_eq!(
        ask(&relay, &two).await["rspbody"]["rsp_0x5"]["uint32_result"],
        30_000_006
    );
    let body = json!({"user_id": "anchor_7"});
    let channel = relay
        .send(Method::POST, "/v1/rooms/8001/channels", &body)
        .await
        .json();
    relay.publish(channel["stream"].as_str().unwrap()).await;
    let start = record(
        "anchor_7",
        &json!({"uint32_oper": 1, "string_file_name": "lesson", "string_tags": "a;b"}),
    );
    let started = ask(&relay, &start).await;
    assert_eq!(
        started["rspbody"]["rsp_0x5"],
        json!({"uint32_result": 0}),
        "{started}"
    );
    let again = ask(&relay, &start).await;
    assert_eq!(again["rspbody"]["rsp_0x5"]["uint32_result"], 30_000_415);
    let tasks = relay.bench.get("/v1/recordings").await.json();
    let task = &tasks["items"][0];
    assert_eq!(
        (&task["formats"], &task["segment_s"], &task["callback"]),
        (&json!(["mp4"]), &json!(5400), &json!(false))
    );
    let stop = record("anchor_7", &json!({"uint32_oper": 2}));
    let stopped = ask(&relay, &stop).await;
    assert_eq!(
        stopped["rspbody"]["rsp_0x5"],
        json!({"uint32_result": 0, "str_fileID": []})
    );
}

#[tokio::test]
async fn common_access_manages_channels() {
    let relay = relay().await;
    let started = relay
        .send(
            Method::POST,
            "/v1/rooms/8001/channels",
            &json!({"user_id": "anchor_7"}),
        )
        .await
        .json();
    let code = started["stream_id"].as_str().unwrap();
    let ask = async |what: String| {
        let path =
            format!("/common_access?appid=1251659802&interface={what}&Param.s.channel_id={code}");
        relay.bench.get(&path).await.json()
    };
    let status = ask("Live_Channel_GetStatus".into()).await;
    assert_eq!(
        status,
        json!({"ret": 0, "message": "ok", "output": [{"rate_type": 0, "recv_type": 3, "status": 0}]})
    );
    relay.publish(started["stream"].as_str().unwrap()).await;
    let live = |channels: Value| channels["output"]["all_count"] == 1;
    let mut seen = false;
    for _ in 0..300 {
        seen = live(ask("Live_Channel_GetLiveChannelList".into()).await);
        if seen {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(seen);
    assert_eq!(
        ask("Live_Channel_GetStatus".into()).await["output"][0]["status"],
        1
    );
    assert_eq!(
        ask("Live_Channel_SetStatus&Param.n.status=0".into()).await["ret"],
        0
    );
    assert_eq!(
        ask("Live_Channel_GetStatus".into()).await["output"][0]["status"],
        3
    );
    assert_eq!(
        ask("channel_manager&Param.s.action=resume".into()).await["ret"],
        0
    );
    assert_ne!(
        ask("Live_Channel_GetStatus".into()).await["output"][0]["status"],
        3
    );
    let task = ask("Live_Tape_Start&Param.n.task_sub_type=1&Param.s.file_format=mp4".into()).await;
    let task = task["output"]["task_id"].as_u64().unwrap();
    assert_eq!(
        ask(format!("Live_Tape_Stop&Param.n.task_id={task}")).await["ret"],
        0
    );
    assert_eq!(
        ask("Live_Tape_GetFilelist".into()).await["output"]["file_list"],
        json!([])
    );
    for refused in [
        "Live_Channel_SetStatus&Param.n.status=7",
        "Mix_Stream",
        "Live_Queue_Get",
        "x",
    ] {
        assert_ne!(ask(refused.into()).await["ret"], 0, "{refused}");
    }
    let unknown = relay
        .bench
        .get("/common_access?interface=Live_Channel_GetStatus&Param.s.channel_id=none")
        .await;
    assert_eq!(unknown.json()["ret"], 20_601);
}

#[tokio::test]
async fn common_access_takes_a_sign_of_its_key_until_its_time() {
    let key = "5d41402abc4b2a76b9719d911017c592";
    let mut config = crate::Config::default();
    config.common_access_key = key.to_owned();
    let relay = Relay::with_config(config).await;
    let from = ([203, 0, 113, 9], 1).into();
    let sign = |t: i64| {
        let digest = Md5::digest(format!("{key}{t}"));
        data_encoding::HEXLOWER.encode(&digest)
    };
    // The vector of the specification.
    assert_eq!(sign(1_473_126_233), "58dd90d01ab325e7c96007a302f9c47d");
    let now = super::WALL_MS / 1_000;
    for (t, signature, ret) in [
        (now + 60, sign(now + 60), 0),
        (now - 1, sign(now - 1), 1001),
        (now + 60, sign(now + 61), 1001),
    ] {
        let path =
            format!("/common_access?interface=Live_Channel_GetChannelList&t={t}&sign={signature}");
        let answer = relay.bench.ask_from(from, Method::GET, &path, &[]).await;
        assert_eq!(answer.json()["ret"], ret, "{path}: {}", answer.text());
    }
    let path = "/common_access?interface=Live_Channel_GetChannelList";
    let unsigned = relay.bench.ask_from(from, Method::GET, path, &[]).await;
    assert_eq!(unsigned.json()["ret"], 1001);
}
