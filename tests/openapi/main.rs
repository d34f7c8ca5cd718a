//! The OpenAPI document is consistent. Its paths are compared with the routes beside these, and
//! answers with what it describes in the end-to-end tests.

#[cfg(not(target_arch = "wasm32"))]
mod document;

#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use std::collections::BTreeSet;

    use erasure_relay::problem::{Disclosure, Problem};
    use serde_json::{Value, json};

    use crate::document::{Answer, Document, objects};

    fn document() -> Document {
        Document::of_answers().unwrap()
    }

    #[test]
    fn every_example_matches_its_schema() {
        let (closed, open) = (document(), Document::as_written().unwrap());
        let mut examples = 0;
        for (at, members) in objects(open.root()) {
            let Some(schema) = members.get("schema") else { continue };
            // Members of a request that are not described are ignored.
            let is_request = at.contains("/requestBody/") || at.contains("/requestBodies/");
            let document = if is_request { &open } else { &closed };
            if let Some(example) = members.get("example") {
                let matched = document.matches(schema, example);
                matched.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                examples += 1;
            }
        }
        assert!(examples > 25, "{examples}");
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_is_used() {
        let document = document();
        let root = document.root();
        let mut used = BTreeSet::new();
        for (at, members) in objects(root) {
            let Some(reference) = members.get("$ref") else { continue };
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
            assert!(root.pointer(pointer).is_some(), "{at}: {pointer}");
            used.insert(pointer.to_owned());
        }
        for (kind, parts) in root["components"].as_object().unwrap() {
            for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
                let pointer = format!("/components/{kind}/{name}");
                assert!(used.contains(&pointer), "{pointer} is not used");
            }
        }
    }

    #[test]
    fn every_operation_has_a_name_a_summary_a_tag_and_its_faults() {
        let document = document();
        let tags = document.root()["tags"].as_array().unwrap();
        let mut names = BTreeSet::new();
        for (at, operation) in objects(document.root()) {
            let Some(responses) = operation.get("responses") else { continue };
            let text = |name: &str| operation.get(name).and_then(Value::as_str);
            if at == "/components" {
                continue;
            }
            assert!(names.insert(text("operationId").unwrap().to_owned()), "{at}: not unique");
            assert!(text("summary").is_some_and(|summary| !summary.ends_with('.')), "{at}");
            assert!(operation.contains_key("security"), "{at}: who may ask is not said");
            let tag = &operation["tags"][0];
            assert!(tags.iter().any(|known| known["name"] == *tag), "{at}: {tag}");
            assert!(responses.get("500").is_some() || at.ends_with("/delete"), "{at}: no 500");
        }
    }

    #[test]
    fn the_names_of_problems_are_those_of_the_code() {
        let problems = [
            Problem::Malformed(String::new()),
            Problem::NotAuthentic,
            Problem::NotFound,
            Problem::NoReceiptKeys(""),
            Problem::UnknownSource,
            Problem::UnknownErasure,
            Problem::UnknownVendor,
            Problem::NotOperator,
            Problem::ReadOnly,
            Problem::NotAudited,
            Problem::MethodNotAllowed("GET"),
            Problem::CannotClose,
            Problem::TooLarge(1),
            Problem::PeriodTooLong(1),
            Problem::InsufficientIdentification(Vec::new()),
            Problem::Internal,
            Problem::CannotVerify(1),
            Problem::TryAgain(Vec::new(), 1),
            Problem::NotStored,
            Problem::LaneUnreachable,
            Problem::NotConfigured(Disclosure::Nothing),
        ];
        let document = document();
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        let mut slugs = BTreeSet::new();
        for problem in &problems {
            document.matches(&schema, &serde_json::to_value(problem).unwrap()).unwrap();
            slugs.insert(problem.slug());
        }
        let described = &document.root()["components"]["schemas"]["ProblemType"]["enum"];
        assert_eq!(described.as_array().map(Vec::len), Some(slugs.len()));
    }

    #[test]
    fn what_is_not_described_does_not_match() {
        let document = document();
        let good = r#"{"status":"ok","version":"0.1.0","delivery":"durable","attention":0}"#;
        let answer =
            Answer { status: 200, content_type: "application/json", allow: "", body: good };
        let check = |method: &str, path: &str, answer: &Answer<'_>| {
            document.check(method, path, answer).map_err(|error| format!("{error:#}"))
        };
        check("GET", "/healthz?x=/y", &answer).unwrap();
        check("HEAD", "/healthz", &Answer { body: "", ..answer }).unwrap();
        for (method, path, answer, says) in [
            ("GET", "/healthz", Answer { status: 201, ..answer }, "is not described"),
            ("GET", "/healthz", Answer { content_type: "text/html", ..answer }, "text/html"),
            ("GET", "/healthz", Answer { body: "{}", ..answer }, "required"),
            (
                "GET",
                "/healthz",
                Answer { body: &good.replace("}", ",\"x\":1}"), ..answer },
                "additional",
            ),
            ("HEAD", "/healthz", Answer { ..answer }, "has a body"),
            ("GET", "/health", Answer { ..answer }, "no such path"),
            ("POST", "/healthz", Answer { ..answer }, "no 405"),
            ("POST", "/healthz", Answer { status: 405, allow: "GET, PUT", ..answer }, "Allow"),
        ] {
            let error = check(method, path, &answer).unwrap_err();
            assert!(error.contains(says), "{method} {path}: {error}");
        }
    }
}
