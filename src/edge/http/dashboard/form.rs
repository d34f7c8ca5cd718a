//! The body of a form.

use worker::web_sys;

use super::super::webhook::read_body;
use crate::edge::net::message::header;
use crate::problem::Problem;

/// The maximum length of a form, in bytes.
const MAX_BYTES: u32 = 8192;

/// The fields of a form that was sent.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a request.
    ///
    /// # Errors
    /// 400 for another type of body, 413.
    pub async fn read(request: &web_sys::Request) -> Result<Self, Problem> {
        const TYPE: &str = "application/x-www-form-urlencoded";
        let headers = request.headers();
        let sent = header(&headers, "content-type").unwrap_or_default();
        if !sent.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(TYPE)) {
            return Err(Problem::Malformed(format!("Content-Type must be {TYPE}")));
        }
        let body = read_body(request, &headers, MAX_BYTES).await?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// The value of a field; empty where it was not sent.
    pub fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}
