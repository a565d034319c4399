//! Findings, for people and as JSON.

use std::fmt::Write;
use std::time::Duration;

use ::hls_check::{Checker, Done, Finding, Seen, Severity};
use jiff::Timestamp;
use serde_json::{Value, json};
use sidestream::describe::{clock, traffic};

/// What is printed.
pub(super) struct Shown<'a> {
    /// What was asked for.
    pub(super) name: &'a str,
    /// When the check began.
    pub(super) began: Timestamp,
    pub(super) took: Duration,
    pub(super) done: &'a Done,
}

/// One line while it runs.
pub(super) fn progress(checker: &Checker, now: Duration) -> String {
    let totals = checker.totals();
    format!(
        "{}   {} playlists   {} reloads   {} segments   {} parts   {} kinds of findings",
        clock(now),
        totals.playlists,
        totals.reloads,
        totals.segments,
        totals.parts,
        checker.findings()
    )
}

impl Shown<'_> {
    fn count(&self, severity: Severity) -> usize {
        let findings = self.done.findings.iter();
        findings
            .filter(|finding| finding.check.severity == severity)
            .count()
    }

    /// Three lines a finding, then one that sums up.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for finding in &self.done.findings {
            // Writing to memory does not fail.
            let _ = self.finding(&mut out, finding);
        }
        for note in &self.done.notes {
            let _ = writeln!(out, "note    {}", plain(&note.0));
        }
        let totals = &self.done.totals;
        let verdict = match (self.count(Severity::Must), self.count(Severity::Should)) {
            (0, 0) => "no broken rule".to_owned(),
            (must, should) => format!("{must} must, {should} should"),
        };
        let parts = match totals.parts {
            0 => String::new(),
            parts => format!("{parts} parts, "),
        };
        let _ = writeln!(
            out,
            "{}: {} playlists, {} reloads, {} segments, {parts}{} in {:.1} s: {verdict}",
            self.name,
            totals.playlists,
            totals.reloads,
            totals.segments,
            traffic(totals.bytes),
            self.took.as_secs_f64()
        );
        out
    }

    fn finding(&self, out: &mut String, finding: &Finding) -> std::fmt::Result {
        let check = finding.check;
        writeln!(
            out,
            "{:<6}  {:<3} {}: {} ({})",
            check.severity.as_str(),
            check.rule,
            check.name,
            plain(&finding.what),
            check.section
        )?;
        write!(out, "            {}", redacted(&finding.playlist))?;
        if let Some(line) = finding.line {
            write!(out, ", line {line}")?;
        }
        if let Some(resource) = finding
            .resource
            .as_ref()
            .filter(|at| **at != finding.playlist)
        {
            write!(out, ": {}", redacted(resource))?;
        }
        if finding.count > 1 {
            write!(out, "; {} times", finding.count)?;
        }
        writeln!(out, "\n            {}", self.request(&finding.seen))
    }

    fn request(&self, seen: &Seen) -> String {
        let at = self.at(seen).to_zoned(jiff::tz::TimeZone::system());
        let mut text = format!("{} {}", seen.method.as_str(), redacted(&seen.url));
        for (name, value) in &seen.request_headers {
            let _ = write!(text, " [{name}: {value}]");
        }
        let status = seen
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        let _ = write!(
            text,
            " at {}: {} {status} after {} ms",
            at.strftime("%H:%M:%S%.3f"),
            seen.protocol,
            seen.took.as_millis()
        );
        for (name, value) in &seen.headers {
            let _ = write!(text, "; {name}: {value}");
        }
        plain(&text)
    }

    fn at(&self, seen: &Seen) -> Timestamp {
        self.began.checked_add(seen.at).unwrap_or(self.began)
    }

    /// One object.
    pub(super) fn json(&self) -> Value {
        let totals = &self.done.totals;
        let findings: Vec<Value> = self
            .done
            .findings
            .iter()
            .map(|finding| self.finding_json(finding))
            .collect();
        let notes: Vec<&str> = self.done.notes.iter().map(|note| note.0.as_str()).collect();
        json!({
            "url": self.name,
            "began": self.began.to_string(),
            "duration_s": self.took.as_secs_f64(),
            "must": self.count(Severity::Must),
            "should": self.count(Severity::Should),
            "totals": {
                "playlists": totals.playlists,
                "reloads": totals.reloads,
                "segments": totals.segments,
                "parts": totals.parts,
                "probes": totals.probes,
                "bytes": totals.bytes,
                "failed": totals.failed,
                "not_read": totals.not_read,
                "encrypted": totals.encrypted,
                "other": totals.other,
            },
            "notes": notes,
            "findings": findings,
        })
    }

    fn finding_json(&self, finding: &Finding) -> Value {
        let (check, seen) = (finding.check, &finding.seen);
        let fields = |headers: &mut dyn Iterator<Item = (&str, &str)>| -> Value {
            let fields = headers.map(|(name, value)| (name.to_owned(), Value::from(value)));
            Value::Object(fields.collect())
        };
        let mut asked = seen
            .request_headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let mut said = seen
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        json!({
            "rule": check.rule.to_string(),
            "check": check.name,
            "severity": check.severity.as_str(),
            "section": check.section,
            "says": check.says,
            "what": finding.what,
            "count": finding.count,
            "playlist": redacted(&finding.playlist),
            "line": finding.line,
            "resource": finding.resource.as_deref().map(redacted),
            "request": {
                "method": seen.method.as_str(),
                "url": redacted(&seen.url),
                "headers": fields(&mut asked),
                "at": self.at(seen).to_string(),
                "took_s": seen.took.as_secs_f64(),
                "protocol": seen.protocol,
                "status": seen.status,
                "answer": fields(&mut said),
            },
        })
    }
}

/// A URL whose query shows values of HLS's own parameters only: others may be keys.
pub(super) fn redacted(url: &str) -> String {
    let Some((begin, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if !name.starts_with("_HLS_") => format!("{name}=****"),
        _ => pair.to_owned(),
    });
    format!("{begin}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// Without what a server could tell a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_secrets() {
        let shown = redacted("http://a/b.m3u8?token=s3cret&_HLS_msn=4&x");
        assert_eq!(shown, "http://a/b.m3u8?token=****&_HLS_msn=4&x");
        assert_eq!(redacted("http://a/b"), "http://a/b");
    }

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(plain("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
