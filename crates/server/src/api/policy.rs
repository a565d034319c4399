//! The policy, record templates and rules.

use control::model::{Policy, RecordTemplate, Rule};
use http::StatusCode;
use http::header::ETAG;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Input, List, Name, Place, Whole, input};
use super::route::Route;
use super::view::{Page, etag};
use super::words::{Format, Media};
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/policy",
            "What happens by itself, and what is allowed",
            show,
        )
        .query::<Which>()
        .answers::<PolicyView>(200),
        Route::patch(
            "/v1/policy",
            "Changes the policy (merge patch, RFC 7396)",
            change,
        )
        .needs(Scope::Admin)
        .query::<Which>()
        .body::<PolicyPatch>(r#"{"auto_bypass": {"enabled": true}, "reconnect_window_s": 30}"#)
        .answers::<PolicyView>(200),
        Route::get("/v1/record-templates", "Record templates", templates)
            .answers::<Page<TemplateView>>(200),
        Route::put(
            "/v1/record-templates/{template}",
            "Makes or replaces a record template",
            put_template,
        )
        .needs(Scope::Admin)
        .parameter::<Label>("template")
        .body::<Template>(r#"{"formats": ["mp4", "hls"], "segment_s": 3600}"#)
        .answers::<TemplateView>(200),
        Route::delete(
            "/v1/record-templates/{template}",
            "Removes a record template",
            remove_template,
        )
        .needs(Scope::Admin)
        .parameter::<Label>("template")
        .empty(204),
        Route::get("/v1/rules", "Exceptions to the policy", rules).answers::<Page<RuleView>>(200),
        Route::put("/v1/rules/{rule}", "Makes or replaces a rule", put_rule)
            .needs(Scope::Admin)
            .parameter::<Label>("rule")
            .body::<NewRule>(r#"{"stream_id": "8888_quiet", "bypass": false}"#)
            .answers::<RuleView>(200),
        Route::delete("/v1/rules/{rule}", "Removes a rule", remove_rule)
            .needs(Scope::Admin)
            .parameter::<Label>("rule")
            .empty(204),
    ]
}

input! {
    /// Whose policy.
    pub(super) struct Which {
        /// Of this app; of all when absent.
        app_id: Option<Name> = None,
    }
}

/// The name of a template or a rule: 1 to 64 letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug)]
pub(super) struct Label(String);

impl Input for Label {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let text = value.as_str().unwrap_or_default();
        let is_fine = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if is_fine {
            return Some(Self(text.to_owned()));
        }
        at.wrong("is 1 to 64 letters, digits, \"-\", \"_\" or \".\"")
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"})
    }
}

/// A merge patch; the control plane checks it against the policy as it stands.
#[derive(Clone, Debug)]
pub(super) struct PolicyPatch(Value);

impl Input for PolicyPatch {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        if value.is_object() {
            return Some(Self(value.clone()));
        }
        at.wrong("is an object")
    }

    fn schema() -> Value {
        let seconds = |most: u32| json!({"type": "integer", "minimum": 0, "maximum": most});
        let words = |words: &[&str]| json!({"type": "string", "enum": words});
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "preset": words(&["auto_auto"]),
                "auto_bypass": {
                    "type": "object", "additionalProperties": false,
                    "properties": {
                        "enabled": {"type": "boolean"},
                        "sources": {"type": "array", "items": words(&["main", "aux"])},
                        "protocols": {"type": "array", "items": words(&["hls", "rtmp", "flv"])},
                    },
                },
                "auto_record": {
                    "type": "object", "additionalProperties": false,
                    "properties": {
                        "enabled": {"type": "boolean"},
                        "formats": {"type": "array", "items": Format::schema()},
                        "media": Media::schema(),
                        "segment_s": {"type": "integer", "minimum": 10, "maximum": 86_400},
                        "hls_resume_s": seconds(1_800),
                    },
                },
                "uniqueness": words(&["user", "user_source"]),
                "start_min_interval_s": seconds(3_600),
                "start_retry_s": seconds(3_600),
                "reconnect_window_s": seconds(3_600),
                "viewer_end_grace_s": seconds(3_600),
                "channel_retention_s": seconds(86_400),
                "room_idle_s": seconds(86_400),
                "record_idle_s": seconds(86_400),
                "max_channels": seconds(1_000_000),
                "max_targets": seconds(10),
                "compat_matrix": {"type": "boolean"},
                "stream_code_rule": words(&["classic_md5", "plain"]),
                "unknown_publish": words(&["reject", "adopt"]),
            },
        })
    }
}

input! {
    /// What a rule says about recording.
    pub(super) struct Template {
        /// Containers; none means that the stream is not recorded.
        formats: List<Format, 0, 6>,
        /// Which tracks.
        media: Media = Media::Av,
        /// When the next file begins, in seconds.
        segment_s: Whole<10, 86_400> = Whole::of(5_400),
        /// How long an HLS recording waits for its publisher, in seconds.
        hls_resume_s: Whole<0, 1_800> = Whole::of(0),
    }
}

input! {
    /// An exception to the policy: app and stream before stream before app before all.
    pub(super) struct NewRule {
        /// For this app only.
        app_id: Option<Name> = None,
        /// For this stream code only.
        stream_id: Option<Name> = None,
        /// Recording after this template.
        template: Option<Label> = None,
        /// Whether automatic bypass is on.
        bypass: Option<bool> = None,
    }
}

/// The policy.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub(super) struct PolicyView {
    app_id: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    policy: Value,
    etag: String,
}

/// A record template.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordTemplate)]
pub(super) struct TemplateView {
    name: String,
    formats: Vec<String>,
    media: String,
    segment_s: u32,
    hls_resume_s: u32,
}

/// A rule.
#[derive(Serialize, ToSchema)]
#[schema(as = Rule)]
pub(super) struct RuleView {
    name: String,
    app_id: Option<String>,
    stream_id: Option<String>,
    template: Option<String>,
    bypass: Option<bool>,
}

impl TemplateView {
    fn of(name: &str, template: &RecordTemplate) -> Self {
        Self {
            name: name.to_owned(),
            formats: template.formats.iter().map(ToString::to_string).collect(),
            media: template.media.to_string(),
            segment_s: template.segment_s,
            hls_resume_s: template.hls_resume_s,
        }
    }
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            app_id: rule.app_id.clone(),
            stream_id: rule.stream_id.clone(),
            template: rule.template.clone(),
            bypass: rule.bypass,
        }
    }
}

fn shown(ask: &Ask, app_id: Option<String>, policy: &Policy, version: u64) -> Answer {
    let etag = etag(version);
    let view = PolicyView {
        app_id,
        policy: serde_json::to_value(policy).unwrap_or_default(),
        etag: etag.clone(),
    };
    ask.json(StatusCode::OK, &view).with(ETAG, &etag)
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let app_id = which.app_id.map(|id| id.0);
    let found = ask.control()?.policy(app_id.clone()).await;
    let (policy, version) = found.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, app_id, &policy, version))
}

async fn change(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let app_id = which.app_id.map(|id| id.0);
    let PolicyPatch(patch) = ask.body()?;
    let expected = ask.if_match()?;
    let control = ask.control()?;
    let changed = control.update_policy(app_id.clone(), patch, expected).await;
    let (policy, version) = changed.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, app_id, &policy, version))
}

async fn templates(ask: Ask) -> Result<Answer, Problem> {
    let templates = ask.control()?.record_templates().await;
    let templates = templates.map_err(|error| ask.refused(error))?;
    let items = templates.iter();
    let page = Page {
        items: items
            .map(|(name, template)| TemplateView::of(name, template))
            .collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn put_template(ask: Ask) -> Result<Answer, Problem> {
    let name: Label = ask.parameter("template")?;
    let template: Template = ask.body()?;
    let template = RecordTemplate {
        formats: template.formats.0.into_iter().map(Into::into).collect(),
        media: template.media.into(),
        segment_s: template.segment_s.small(),
        hls_resume_s: template.hls_resume_s.small(),
    };
    let view = TemplateView::of(&name.0, &template);
    let put = ask.control()?.put_record_template(name.0, template).await;
    put.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &view))
}

async fn remove_template(ask: Ask) -> Result<Answer, Problem> {
    let name: Label = ask.parameter("template")?;
    let removed = ask.control()?.remove_record_template(name.0).await;
    removed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}

async fn rules(ask: Ask) -> Result<Answer, Problem> {
    let rules = ask.control()?.rules().await;
    let rules = rules.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: rules.iter().map(RuleView::from).collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn put_rule(ask: Ask) -> Result<Answer, Problem> {
    let name: Label = ask.parameter("rule")?;
    let rule: NewRule = ask.body()?;
    let rule = Rule {
        name: name.0,
        app_id: rule.app_id.map(|id| id.0),
        stream_id: rule.stream_id.map(|id| id.0),
        template: rule.template.map(|label| label.0),
        bypass: rule.bypass,
    };
    let view = RuleView::from(&rule);
    let put = ask.control()?.put_rule(rule).await;
    put.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &view))
}

async fn remove_rule(ask: Ask) -> Result<Answer, Problem> {
    let name: Label = ask.parameter("rule")?;
    let removed = ask.control()?.remove_rule(name.0).await;
    removed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}
