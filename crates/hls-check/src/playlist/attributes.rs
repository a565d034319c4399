//! Attribute lists (RFC 8216 §4.2).

/// `NAME=value,NAME="quoted",…`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a str);

impl<'a> Attributes<'a> {
    /// Each name and value, without quotation marks; ends where the list is malformed.
    fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, value) = rest.split_once('=')?;
            let (value, behind) = match value.strip_prefix('"') {
                Some(quoted) => {
                    let (value, behind) = quoted.split_once('"')?;
                    (value, behind.strip_prefix(',').unwrap_or(behind))
                }
                None => value.split_once(',').unwrap_or((value, "")),
            };
            rest = behind;
            Some((name.trim(), value.trim()))
        })
    }

    /// The value of an attribute.
    pub(crate) fn get(self, wanted: &str) -> Option<&'a str> {
        let mut found = self.pairs().filter(|(name, _)| *name == wanted);
        found.next().map(|(_, value)| value)
    }

    /// Whether an attribute is `YES`.
    pub(crate) fn is_yes(self, wanted: &str) -> bool {
        self.get(wanted) == Some("YES")
    }
}
