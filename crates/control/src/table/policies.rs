//! `policies`, `record_templates`, `rules`

use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{all, from_json, json, one};
use crate::error::Error;
use crate::model::{RecordTemplate, Rule};

/// What was changed for an app (`""`: for all), and how often.
pub(crate) fn patch(db: &Connection, app_id: &str) -> Result<Option<(Value, i64)>, Error> {
    let sql = "SELECT patch, version FROM policies WHERE app_id = ?";
    one(db, sql, &[&app_id], |row| {
        Ok((from_json(&row.get::<_, String>(0)?)?, row.get(1)?))
    })
}

pub(crate) fn put_patch(
    db: &Connection,
    app_id: &str,
    patch: &Value,
    version: i64,
) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO policies (app_id, patch, version) VALUES (?, ?, ?)";
    db.prepare_cached(sql)?
        .execute(params![app_id, patch.to_string(), version])?;
    Ok(())
}

pub(crate) fn template(db: &Connection, name: &str) -> Result<Option<RecordTemplate>, Error> {
    let sql = "SELECT body FROM record_templates WHERE name = ?";
    one(db, sql, &[&name], |row| {
        from_json(&row.get::<_, String>(0)?)
    })
}

pub(crate) fn templates(db: &Connection) -> Result<Vec<(String, RecordTemplate)>, Error> {
    let sql = "SELECT name, body FROM record_templates ORDER BY name";
    all(db, sql, &[], |row| {
        Ok((row.get(0)?, from_json(&row.get::<_, String>(1)?)?))
    })
}

pub(crate) fn put_template(
    db: &Connection,
    name: &str,
    template: &RecordTemplate,
) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO record_templates (name, body) VALUES (?, ?)";
    db.prepare_cached(sql)?
        .execute(params![name, json(template)?])?;
    Ok(())
}

pub(crate) fn remove_template(db: &Connection, name: &str) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM record_templates WHERE name = ?", [name])? > 0)
}

const RULE: &str = "SELECT name, app_id, stream, template, bypass FROM rules";

pub(crate) fn rules(db: &Connection) -> Result<Vec<Rule>, Error> {
    all(db, &format!("{RULE} ORDER BY name"), &[], read_rule)
}

/// The rules that name a stream, the one to be preferred last.
pub(crate) fn rules_of(db: &Connection, app_id: &str, stream_id: &str) -> Result<Vec<Rule>, Error> {
    let sql = format!(
        "{RULE} WHERE (app_id IS NULL OR app_id = ?) AND (stream IS NULL OR stream = ?) ORDER BY name"
    );
    let mut rules = all(db, &sql, &[&app_id, &stream_id], read_rule)?;
    rules.sort_by_key(Rule::rank);
    Ok(rules)
}

pub(crate) fn put_rule(db: &Connection, rule: &Rule) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO rules (name, app_id, stream, template, bypass) VALUES (?, ?, ?, ?, ?)";
    let values = params![
        rule.name,
        rule.app_id,
        rule.stream_id,
        rule.template,
        rule.bypass
    ];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(crate) fn remove_rule(db: &Connection, name: &str) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM rules WHERE name = ?", [name])? > 0)
}

fn read_rule(row: &Row<'_>) -> rusqlite::Result<Rule> {
    Ok(Rule {
        name: row.get(0)?,
        app_id: row.get(1)?,
        stream_id: row.get(2)?,
        template: row.get(3)?,
        bypass: row.get(4)?,
    })
}
