use super::*;
use crate::event::EventKind as Kind;
use crate::plane::{FinishedFile, Recorded};

fn manual(user: &str) -> RecordStart {
    RecordStart {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        user_id: user.to_owned(),
        source: Source::Main,
        file_name: Some("lesson-1".to_owned()),
        media: Media::Av,
        formats: vec![Format::Flv, Format::Mp4],
        segment_s: None,
        tags: vec![],
        class_id: 0,
        record_id: None,
        start_at: None,
        end_at: None,
        callback: true,
        compat: false,
    }
}

fn file(recording: &Recording, format: Format) -> Observation {
    Observation::File(Box::new(FinishedFile {
        recording: recording.id.to_string(),
        stream: recording.stream.clone(),
        path: format!("live/{}.{format}", recording.id),
        start_ms: 1_700_000_000_000,
        end_ms: 1_700_000_272_000,
        size: 9_749_353,
        body: FileBody {
            format,
            media: Media::Av,
            origin: RecordOrigin::Auto,
            duration_ms: 272_000,
            codecs: vec!["avc1.640028".to_owned()],
            width: Some(1280),
            height: Some(720),
            sha256: "00".repeat(32),
            gaps: vec![],
            segment_index: 0,
            recovered: false,
            storage: "local".to_owned(),
            expires_at_ms: None,
        },
    }))
}

async fn writes(bench: &Bench, recording: &Recording, what: Recorded) {
    let recording = recording.id.to_string();
    bench
        .control
        .observe(Observation::Recording { recording, what })
        .await
        .unwrap();
}

#[tokio::test]
async fn c4_automatic_and_manual_recording_are_two_tasks_and_two_files() {
    let bench = bench(|settings| {
        settings.policy.auto_bypass.enabled = true;
        settings.policy.auto_record.enabled = true;
        settings.policy.auto_record.formats = vec![Format::Mp4];
    })
    .await;
    let stream = bench.publish("anchor_7").await;
    let channel = bench.start("anchor_7").await.unwrap().channel.id;
    bench.until(channel, ChannelState::Live).await;
    let mut asked = manual("anchor_7");
    asked.formats = vec![Format::Mp4];
    let started = bench.control.start_recording(asked).await.unwrap();
    assert_eq!(started.warnings, [Warning::DoubleRecording]);
    let both = bench
        .control
        .recordings(RecordingFilter::default(), Page::default())
        .await
        .unwrap()
        .items;
    let origins: Vec<_> = both.iter().map(|task| task.origin).collect();
    assert_eq!(origins, [RecordOrigin::Manual, RecordOrigin::Auto]);
    assert_ne!(both[0].task_id, both[1].task_id);
    let told = async {
        while bench
            .plane
            .last(&stream)
            .is_none_or(|told| told.recordings.len() < 2)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told)
        .await
        .unwrap();
    for task in &both {
        writes(&bench, task, Recorded::Writes).await;
        bench
            .control
            .observe(file(task, Format::Mp4))
            .await
            .unwrap();
        // The recorder may tell it again after a crash.
        bench
            .control
            .observe(file(task, Format::Mp4))
            .await
            .unwrap();
    }
    let files = bench
        .control
        .files(FileFilter::default(), Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(files.len(), 2);
    let completed = |kind: &Kind| *kind == Kind::RecordingFileCompleted;
    assert_eq!(
        bench
            .kinds()
            .await
            .iter()
            .filter(|kind| completed(kind))
            .count(),
        2
    );
    // Stopping the manual one leaves the other.
    let stopping = RecordStop {
        place: manual("").place,
        user_id: "anchor_7".to_owned(),
        source: Source::Main,
    };
    let stopped = bench.control.stop_recordings(stopping).await.unwrap();
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0].recording.state, RecordState::Finalizing);
    assert_eq!(stopped[0].file_ids.len(), 1);
    let (auto, _) = bench.control.recording(both[1].id).await.unwrap();
    assert_eq!(auto.state, RecordState::Recording);
}

#[tokio::test]
async fn c6_rooms_of_two_are_bypassed_but_not_recorded() {
    let bench = bench(|_| {}).await;
    let put = RoomPut {
        app_id: None,
        room_id: "8001".to_owned(),
        kind: RoomKind::Duo,
        relation_id: None,
    };
    bench.control.put_room(put, None).await.unwrap();
    let ask = RecordAsk {
        formats: vec![Format::Mp4],
        media: Media::Av,
        segment_s: None,
        record_id: None,
    };
    let recorded = Start {
        record: Some(ask),
        ..start("anchor_7")
    };
    assert_eq!(
        bench
            .control
            .start(recorded)
            .await
            .unwrap_err()
            .reason
            .code(),
        30000450
    );
    bench.start("anchor_7").await.unwrap();
    bench.publish("anchor_7").await;
    let error = bench
        .control
        .start_recording(manual("anchor_7"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.reason.code(), error.reason.compat_code()),
        (30000450, 1)
    );
}

#[tokio::test]
async fn c3_the_compatible_matrix_makes_manual_recordings_mp4_without_callback() {
    for (matrix, formats, callback) in [
        (true, vec![Format::Mp4], false),
        (false, vec![Format::Flv, Format::Mp4], true),
    ] {
        let bench = bench(|settings| settings.policy.compat_matrix = matrix).await;
        bench.start("anchor_7").await.unwrap();
        bench.publish("anchor_7").await;
        let task = bench
            .control
            .start_recording(manual("anchor_7"))
            .await
            .unwrap()
            .recording;
        assert_eq!(
            (&task.spec.formats, task.spec.callback, task.spec.segment_s),
            (&formats, callback, 5_400)
        );
        bench
            .control
            .observe(file(&task, Format::Mp4))
            .await
            .unwrap();
        let events = bench.events().await;
        let told = events
            .iter()
            .find(|event| event.kind == Kind::RecordingFileCompleted)
            .unwrap();
        assert_eq!(field(told, "callback"), callback);
    }
}

#[tokio::test]
async fn recordings_of_a_start_and_of_a_url_run_with_their_channel() {
    let bench = bench(|_| {}).await;
    let ask = RecordAsk {
        formats: vec![Format::Hls],
        media: Media::Av,
        segment_s: Some(600),
        record_id: Some(123_456),
    };
    let channel = bench
        .control
        .start(Start {
            record: Some(ask),
            ..start("anchor_7")
        })
        .await
        .unwrap();
    assert_eq!(channel.recordings.len(), 1);
    let stream = bench
        .publish_with("anchor_7", "record=mp4|flv&record_interval=600")
        .await;
    bench.until(channel.channel.id, ChannelState::Live).await;
    let running = bench
        .control
        .recordings(RecordingFilter::default(), Page::default())
        .await
        .unwrap()
        .items;
    let origins: Vec<_> = running
        .iter()
        .map(|task| (task.origin, task.spec.formats.len()))
        .collect();
    assert_eq!(origins, [(RecordOrigin::Url, 2), (RecordOrigin::Start, 1)]);
    for task in &running {
        writes(&bench, task, Recorded::Writes).await;
    }
    // A publish that breaks off and comes back goes on in the same tasks.
    bench.lose(&stream, 3).await;
    bench.publish_with("anchor_7", "record=mp4|flv").await;
    bench
        .control
        .stop_channel(channel.channel.id)
        .await
        .unwrap();
    let ended = async {
        loop {
            let page = bench
                .control
                .recordings(RecordingFilter::default(), Page::default())
                .await
                .unwrap();
            if page
                .items
                .iter()
                .all(|task| task.state == RecordState::Completed)
            {
                return page.items.len();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let count = tokio::time::timeout(Duration::from_secs(30), ended)
        .await
        .unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn recordings_that_cannot_be_say_why() {
    let bench = bench(|_| {}).await;
    let refused = async |request: RecordStart| {
        bench
            .control
            .start_recording(request)
            .await
            .unwrap_err()
            .reason
    };
    assert_eq!(refused(manual("anchor_7")).await, Reason::RoomNotFound);
    bench.start("anchor_7").await.unwrap();
    assert_eq!(refused(manual("anchor_7")).await, Reason::NotPublishing);
    bench.publish("anchor_7").await;
    let with = |change: fn(&mut RecordStart)| {
        let mut request = manual("anchor_7");
        change(&mut request);
        request
    };
    assert_eq!(
        refused(with(|ask| ask.formats = vec![Format::Aac])).await,
        Reason::FormatUnsupported
    );
    assert_eq!(
        refused(with(|ask| ask.file_name = Some("../x".to_owned()))).await,
        Reason::FieldInvalid
    );
    assert_eq!(
        refused(with(|ask| ask.segment_s = Some(1))).await,
        Reason::FieldInvalid
    );
    let classic = with(|ask| {
        ask.compat = true;
        ask.file_name = None;
    });
    assert_eq!(refused(classic).await, Reason::FileNameMissing);
    let now = bench.control.now();
    let mut far = manual("anchor_7");
    far.start_at = Some(now.plus(Duration::from_hours(7 * 24)));
    assert_eq!(refused(far).await, Reason::FieldInvalid);
    bench
        .control
        .start_recording(manual("anchor_7"))
        .await
        .unwrap();
    assert_eq!(refused(manual("anchor_7")).await, Reason::RecordingExists);
}

#[tokio::test]
async fn a_scheduled_recording_begins_and_ends_at_its_times() {
    let bench = bench(|_| {}).await;
    bench.start("anchor_7").await.unwrap();
    let stream = bench.publish("anchor_7").await;
    let now = bench.control.now();
    let mut request = manual("anchor_7");
    request.start_at = Some(now.plus(Duration::from_secs(100)));
    request.end_at = Some(now.plus(Duration::from_secs(200)));
    let task = bench
        .control
        .start_recording(request)
        .await
        .unwrap()
        .recording;
    let told = async |count: usize| {
        let told = async {
            while bench
                .plane
                .last(&stream)
                .is_none_or(|told| told.recordings.len() != count)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), told)
            .await
            .expect("the media side is told");
    };
    told(0).await;
    bench.after(Duration::from_secs(101)).await;
    told(1).await;
    writes(&bench, &task, Recorded::Writes).await;
    bench.after(Duration::from_secs(100)).await;
    told(0).await;
}

#[tokio::test]
async fn a_manual_recording_without_media_ends_after_a_minute() {
    let bench = bench(|_| {}).await;
    bench.start("anchor_7").await.unwrap();
    let stream = bench.publish("anchor_7").await;
    let task = bench
        .control
        .start_recording(manual("anchor_7"))
        .await
        .unwrap()
        .recording;
    writes(&bench, &task, Recorded::Writes).await;
    bench.lose(&stream, 3).await;
    bench.after(Duration::from_secs(59)).await;
    assert_eq!(
        bench.control.recording(task.id).await.unwrap().0.state,
        RecordState::Recording
    );
    bench.after(Duration::from_secs(2)).await;
    let ended = bench.control.recording(task.id).await.unwrap().0;
    assert_eq!(ended.cause.unwrap().text, "no media for too long");
}
