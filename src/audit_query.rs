//! The query of `GET /audit?before=&limit=`.

/// The default number of actions on a page.
const DEFAULT_LIMIT: u32 = 50;

/// The maximum number of actions on a page.
const MAX_LIMIT: u32 = 200;

/// A query for what operators did, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those before the one of this number.
    pub before: Option<i64>,
    /// The number of actions on a page.
    pub limit: u32,
}

impl AuditQuery {
    /// Reads the query of a URL, the part after `?`.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the query.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let mut parsed = Self { before: None, limit: DEFAULT_LIMIT };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                _ if value.is_empty() => {}
                "before" => {
                    let before = value.parse().ok().filter(|before| *before >= 0);
                    parsed.before =
                        Some(before.ok_or("before must be the next of an earlier page")?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    parsed.limit = limit.ok_or("limit must be a number from 1 to 200")?;
                }
                _ => return Err("the query may name before and limit"),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_invalid_parameters_are_rejected() {
        let parse = AuditQuery::parse;
        assert_eq!(parse(""), Ok(AuditQuery { before: None, limit: 50 }));
        assert_eq!(parse("before=17&limit=200"), Ok(AuditQuery { before: Some(17), limit: 200 }));
        assert_eq!(parse("before=&limit="), parse(""));
        for wrong in ["before=x", "before=-1", "limit=0", "limit=201", "limit=x", "other=1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
