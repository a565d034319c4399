//! Values of a TOML document with the place where each was written.

use toml::de::{DeTable, DeValue};

/// A value and the byte offset where it begins.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    DateTime(String),
    Array(Vec<Value>),
    Table(Vec<Entry>),
}

/// A key of a table, where it is written, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) at: usize,
    pub(super) value: Value,
}

/// A syntax error and its byte offset.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) what: String,
}

/// Reads a document as far as it can be read; the errors say what could not.
pub(super) fn parse_document(text: &str) -> (Vec<Entry>, Vec<SyntaxError>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors.iter().map(syntax_error).collect();
    (entries(table.get_ref()), errors)
}

/// Reads one value, as environment variables hold it.
pub(super) fn parse_value(text: &str) -> Result<Value, SyntaxError> {
    match DeValue::parse(text) {
        Ok(value) => Ok(Value {
            at: value.span().start,
            kind: kind(value.get_ref()),
        }),
        Err(error) => Err(syntax_error(&error)),
    }
}

fn syntax_error(error: &toml::de::Error) -> SyntaxError {
    SyntaxError {
        at: error.span().map_or(0, |span| span.start),
        what: error.message().lines().collect::<Vec<_>>().join(", "),
    }
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(name, value)| Entry {
            name: name.get_ref().to_string(),
            at: name.span().start,
            value: Value {
                at: value.span().start,
                kind: kind(value.get_ref()),
            },
        })
        .collect();
    // The parser sorts by name; people read from top to bottom.
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn kind(value: &DeValue<'_>) -> Kind {
    match value {
        DeValue::String(text) => Kind::Text(text.to_string()),
        // What does not fit is out of every range that any key allows.
        DeValue::Integer(number) => {
            Kind::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX))
        }
        DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Kind::Boolean(*flag),
        DeValue::Datetime(time) => Kind::DateTime(time.to_string()),
        DeValue::Array(items) => Kind::Array(
            items
                .iter()
                .map(|item| Value {
                    at: item.span().start,
                    kind: kind(item.get_ref()),
                })
                .collect(),
        ),
        DeValue::Table(table) => Kind::Table(entries(table)),
    }
}

impl Value {
    /// A text that was not written in a document: an environment variable, a flag.
    pub(super) fn text(text: &str) -> Self {
        Self {
            at: 0,
            kind: Kind::Text(text.to_owned()),
        }
    }

    /// As an error names it: `the number 2`, `the text "yes"`, `a table`.
    pub(super) fn found(&self) -> String {
        match &self.kind {
            Kind::Text(text) if text.len() > 64 => "a long text".to_owned(),
            Kind::Text(text) => format!("the text {text:?}"),
            Kind::Integer(number) => format!("the number {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::Boolean(flag) => flag.to_string(),
            Kind::DateTime(time) => format!("the time {time}"),
            Kind::Array(_) => "a list".to_owned(),
            Kind::Table(_) => "a table".to_owned(),
        }
    }
}

/// Line and column of a byte offset, both from 1; columns count characters, as editors do.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns_of_characters() {
        let text = "a = 1\n[\"é\"]\n\"ü\" = 2\n";
        let (entries, errors) = parse_document(text);
        assert!(errors.is_empty());
        assert_eq!(line_and_column(text, entries[0].value.at), (1, 5));
        let Kind::Table(inner) = &entries[1].value.kind else {
            panic!("not a table")
        };
        assert_eq!(line_and_column(text, inner[0].at), (3, 1));
        assert_eq!(line_and_column(text, inner[0].value.at), (3, 7));
        assert_eq!(line_and_column(text, 999), (4, 1));
    }

    #[test]
    fn every_syntax_error_is_kept_and_the_rest_is_read() {
        let (entries, errors) = parse_document("a = \nb = 2\nc = ]\n");
        assert!(errors.len() >= 2, "{errors:?}");
        assert!(entries.iter().any(|entry| entry.name == "b"));
    }
}
