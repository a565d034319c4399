//! The policy: as it is for a stream, and how it is changed.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Control, channels, place};
use crate::error::{Error, Reason};
use crate::model::{Cause, Origin, Policy, RecordTemplate, Rule};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::policies as table;

/// Most rules, and most record templates. Bounds: what each start looks through.
const MOST: usize = 1_000;

/// The policy of an app.
pub(super) fn of_app(db: &Connection, settings: &Settings, app_id: &str) -> Result<Policy, Error> {
    let mut policy = settings.policy.clone();
    for scope in ["", app_id] {
        if let Some((patch, _)) = table::patch(db, scope)? {
            policy = policy.patched(&patch)?;
        }
    }
    Ok(policy)
}

/// The policy of a stream: the app's, and what rules say of it.
pub(super) fn of_stream(
    db: &Connection,
    settings: &Settings,
    app_id: &str,
    stream_id: &str,
) -> Result<Policy, Error> {
    let mut policy = of_app(db, settings, app_id)?;
    for rule in table::rules_of(db, app_id, stream_id)? {
        let template = match &rule.template {
            Some(name) => table::template(db, name)?,
            None => None,
        };
        policy = policy.ruled(&rule, template.as_ref());
    }
    Ok(policy)
}

/// As [`of_stream`], by the stream's name in the hub.
pub(super) fn of(
    db: &Connection,
    settings: &Settings,
    app_id: &str,
    stream: &str,
) -> Result<Policy, Error> {
    let code = stream.rsplit_once('/').map_or(stream, |(_, code)| code);
    of_stream(db, settings, app_id, code)
}

/// Ends channels that the policy managed and no longer wants.
fn end_unwanted(tx: &mut Tx<'_>, settings: &Settings) -> Result<(), Error> {
    for mut channel in crate::table::channels::all_running(tx)? {
        if channel.origin != Origin::Auto {
            continue;
        }
        let policy = of(tx, settings, &channel.app_id, &channel.stream)?;
        let wanted =
            policy.auto_bypass.enabled && policy.auto_bypass.sources.contains(&channel.source);
        if !wanted {
            channels::stop(
                tx,
                &mut channel,
                &policy,
                Cause::ours("automatic bypass was turned off"),
            )?;
        }
    }
    Ok(())
}

impl Control {
    /// The policy of an app (of all apps when absent), and its version.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`]; when the state cannot be read.
    pub async fn policy(&self, app_id: Option<String>) -> Result<(Policy, u64), Error> {
        self.read(move |db, settings| {
            let scope = scope(db, settings, app_id.as_deref())?;
            let version = table::patch(db, &scope)?.map_or(0, |(_, version)| version);
            Ok((of_app(db, settings, &scope)?, version.cast_unsigned()))
        })
        .await
    }

    /// The policy as a stream has it, rules included.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn policy_of_stream(
        &self,
        app_id: Option<String>,
        stream: String,
    ) -> Result<Policy, Error> {
        self.read(move |db, settings| {
            let app_id = app_id.as_deref().unwrap_or(&settings.app_id);
            of(db, settings, app_id, &stream)
        })
        .await
    }

    /// Changes the policy by a merge patch (RFC 7396); from then on it wins over the configuration.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`], [`Reason::VersionConflict`], [`Reason::AppUnknown`].
    pub async fn update_policy(
        &self,
        app_id: Option<String>,
        patch: Value,
        version: Option<u64>,
    ) -> Result<(Policy, u64), Error> {
        self.write(move |tx, settings| {
            let scope = scope(tx, settings, app_id.as_deref())?;
            let (mut whole, known) = table::patch(tx, &scope)?.unwrap_or((json!({}), 0));
            if version.is_some_and(|version| version != known.cast_unsigned()) {
                let detail = format!("the policy has version {known}");
                return Err(Error::new(Reason::VersionConflict, detail));
            }
            let policy = of_app(tx, settings, &scope)?.patched(&patch)?;
            settings.code_rule(&policy, &settings.app_id, &settings.bizid)?;
            crate::model::merge(&mut whole, &patch);
            table::put_patch(tx, &scope, &whole, known + 1)?;
            end_unwanted(tx, settings)?;
            Ok((policy, known.cast_unsigned() + 1))
        })
        .await
    }

    /// All record templates.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn record_templates(&self) -> Result<Vec<(String, RecordTemplate)>, Error> {
        self.read(|db, _| table::templates(db)).await
    }

    /// Makes or replaces a record template; recordings that run go on as they are.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`].
    pub async fn put_record_template(
        &self,
        name: String,
        template: RecordTemplate,
    ) -> Result<(), Error> {
        self.write(move |tx, _| {
            check_name(&name)?;
            if table::templates(tx)?.len() >= MOST {
                return Err(Error::field(
                    "",
                    format!("there are {MOST} templates, the limit"),
                ));
            }
            table::put_template(tx, &name, &template)
        })
        .await
    }

    /// Removes a record template that no rule names.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`], [`Reason::FieldInvalid`].
    pub async fn remove_record_template(&self, name: String) -> Result<(), Error> {
        self.write(move |tx, _| {
            let user = table::rules(tx)?
                .into_iter()
                .find(|rule| rule.template.as_ref() == Some(&name));
            if let Some(rule) = user {
                return Err(Error::field("", format!("rule {:?} uses it", rule.name)));
            }
            match table::remove_template(tx, &name)? {
                true => Ok(()),
                false => Err(super::missing(&format!("record template {name:?}"))),
            }
        })
        .await
    }

    /// All rules.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn rules(&self) -> Result<Vec<Rule>, Error> {
        self.read(|db, _| table::rules(db)).await
    }

    /// Makes or replaces a rule.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] for a template that does not exist.
    pub async fn put_rule(&self, rule: Rule) -> Result<(), Error> {
        self.write(move |tx, settings| {
            check_name(&rule.name)?;
            if let Some(name) = &rule.template
                && table::template(tx, name)?.is_none()
            {
                return Err(Error::field(
                    "/template",
                    format!("there is no record template {name:?}"),
                ));
            }
            if table::rules(tx)?.len() >= MOST {
                return Err(Error::field(
                    "",
                    format!("there are {MOST} rules, the limit"),
                ));
            }
            table::put_rule(tx, &rule)?;
            end_unwanted(tx, settings)
        })
        .await
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`].
    pub async fn remove_rule(&self, name: String) -> Result<(), Error> {
        self.write(move |tx, settings| match table::remove_rule(tx, &name)? {
            true => end_unwanted(tx, settings),
            false => Err(super::missing(&format!("rule {name:?}"))),
        })
        .await
    }
}

/// `""` for all apps.
fn scope(db: &Connection, settings: &Settings, app_id: Option<&str>) -> Result<String, Error> {
    match app_id {
        None => Ok(String::new()),
        Some(id) => Ok(place::app(db, settings, Some(id), place::Asks::Anything)?.0),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        let detail = "expected 1 to 64 letters, digits, \"-\", \"_\" or \".\"";
        return Err(Error::field("/name", detail));
    }
    Ok(())
}
