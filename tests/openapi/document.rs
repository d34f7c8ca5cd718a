//! `docs/openapi.json` as a contract: which operation answers a request, and whether an answer is
//! described. The end-to-end tests check every answer against it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// An answer, as far as it is described.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    /// Empty where there is none.
    pub content_type: &'a str,
    /// Empty where there is none.
    pub allow: &'a str,
    pub body: &'a str,
}

/// The document. Its objects are closed: an answer with a member that is not described does not match.
pub struct Document {
    root: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    /// The document as the Worker serves it, for answers.
    pub fn of_answers() -> Result<Self> {
        let mut document = Self::as_written()?;
        close(&mut document.root);
        Ok(document)
    }

    /// The same, with objects as open as they are to clients.
    pub fn as_written() -> Result<Self> {
        let root = serde_json::from_str(erasure_relay::openapi::document())?;
        Ok(Self { root, validators: Mutex::default() })
    }

    /// Checks that an answer to a request is described.
    ///
    /// # Errors
    /// What is not described. It does not repeat the answer.
    pub fn check(&self, method: &str, path: &str, answer: &Answer<'_>) -> Result<()> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let Some(template) = self.template(path) else {
            ensure!(answer.status == 404, "{method}: there is no such path, and it is no 404");
            return self.problem(answer);
        };
        let item = &self.root["paths"][&template];
        let Some(operation) = item.get(method.to_lowercase()) else {
            let what = format!("{method} {template}");
            ensure!(answer.status == 405, "{what} is not described, and it is no 405");
            let methods = answer.allow.split(", ").map(str::to_lowercase);
            let described = methods.clone().filter(|method| item.get(method).is_some());
            ensure!(methods.count() == described.count(), "{what}: Allow names others");
            return if method == "HEAD" { Ok(()) } else { self.problem(answer) };
        };
        let what = format!("{method} {template}: {}", answer.status);
        let response = operation["responses"].get(answer.status.to_string());
        let response = self.resolved(response.with_context(|| format!("{what} is not described"))?);
        self.content(response, answer, method == "HEAD").context(what)
    }

    fn content(&self, response: &Value, answer: &Answer<'_>, is_head: bool) -> Result<()> {
        let Some(content) = response["content"].as_object().filter(|_| !is_head) else {
            ensure!(answer.body.is_empty(), "it has a body, which is not described");
            return Ok(());
        };
        let media = answer.content_type.split(';').next().unwrap_or_default();
        let described =
            content.get(media).with_context(|| format!("{media:?} is not described"))?;
        if media.ends_with("json") {
            let body = serde_json::from_str(answer.body).context("it is not JSON")?;
            self.matches(&described["schema"], &body)?;
        }
        Ok(())
    }

    fn problem(&self, answer: &Answer<'_>) -> Result<()> {
        ensure!(answer.content_type == "application/problem+json", "it is no problem");
        let body = serde_json::from_str(answer.body).context("it is not JSON")?;
        self.matches(&json!({ "$ref": "#/components/schemas/Problem" }), &body)
    }

    /// Checks a value against a schema of the document.
    ///
    /// # Errors
    /// Where it does not match, and what must hold; the value is not repeated.
    pub fn matches(&self, schema: &Value, value: &Value) -> Result<()> {
        let validator = self.validator(schema)?;
        let mut wrong = String::new();
        for error in validator.iter_errors(value) {
            write!(wrong, "\n  at {:?}: {}", error.instance_path().as_str(), error.schema_path())?;
        }
        if wrong.is_empty() { Ok(()) } else { bail!("it departs from the schema:{wrong}") }
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>> {
        let key = schema.to_string();
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Ok(found.clone());
        }
        // References begin at the document's root.
        let mut whole = schema.as_object().cloned().unwrap_or_default();
        whole.insert("components".to_owned(), self.root["components"].clone());
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let options = options.should_validate_formats(true);
        let made = options.build(&Value::Object(whole)).context("the schema is not valid")?;
        Ok(known.entry(key).or_insert(Arc::new(made)).clone())
    }

    /// What a reference leads to; any other value is itself.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        reference.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(value)
    }

    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The template of a path; one without parameters before others.
    fn template(&self, path: &str) -> Option<String> {
        let templates: Vec<&String> = self.root["paths"].as_object()?.keys().collect();
        let fits = |template: &str| {
            let (parts, segments) = (template.split('/'), path.split('/'));
            parts.clone().count() == segments.clone().count()
                && parts.zip(segments).all(|(part, segment)| {
                    part == segment || (part.starts_with('{') && !segment.is_empty())
                })
        };
        let exact = templates.iter().find(|template| **template == path);
        let found = exact.or_else(|| templates.iter().find(|template| fits(template)));
        found.map(|template| (*template).clone())
    }
}

/// Has every object with described members allow no others.
fn close(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_schema = members.get("properties").is_some_and(Value::is_object);
            if is_schema && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Every object of the document, with the JSON Pointer that leads to it. What is inside of an example
/// is data, and is left out.
pub fn objects(root: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), root)];
    while let Some((at, value)) = left.pop() {
        match value {
            Value::Object(members) => {
                found.push((at.clone(), members));
                for (name, member) in members.iter().filter(|(name, _)| *name != "example") {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    left.push((format!("{at}/{name}"), member));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    left.push((format!("{at}/{index}"), item));
                }
            }
            _ => {}
        }
    }
    found
}
