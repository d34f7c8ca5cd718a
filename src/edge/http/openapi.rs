//! `GET /openapi.json`: what this Worker can be asked, for everybody.

use super::reply::Reply;
use crate::openapi;

/// The OpenAPI document. It needs no configuration and holds no secret.
pub fn answer() -> Reply {
    let headers = vec![
        ("Cache-Control", "public, max-age=3600".to_owned()),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ];
    Reply::Written(200, openapi::document().to_owned(), headers)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::mem::discriminant;

    use serde_json::{Map, Value};
    use strum::EnumCount;

    use crate::edge::http::route::{Operator, Route};
    use crate::openapi;
    use crate::problem::Problem;

    const METHODS: [&str; 8] =
        ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

    fn paths() -> Map<String, Value> {
        let document: Value = serde_json::from_str(openapi::document()).unwrap();
        document["paths"].as_object().unwrap().clone()
    }

    /// A path with values in the place of its parameters.
    fn filled(template: &str) -> String {
        let segment =
            |part: &str| if part.starts_with('{') { "x".to_owned() } else { part.to_owned() };
        template.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn every_route_and_method_is_described_and_no_other() {
        let (mut routes, mut operators) = (HashSet::new(), HashSet::new());
        for (template, path) in paths() {
            let url = filled(&template).leak();
            for method in METHODS {
                let described = path.get(method).is_some();
                match Route::of(&method.to_uppercase(), url) {
                    Ok(Route::Operator(operator)) if described => {
                        operators.insert(discriminant(&operator));
                    }
                    Ok(route) if described => {
                        routes.insert(discriminant(&route));
                    }
                    Err(Problem::MethodNotAllowed(allowed)) if !described => {
                        let known = METHODS.iter().filter(|known| path.get(**known).is_some());
                        let known: BTreeSet<_> = known.map(|known| known.to_uppercase()).collect();
                        let allowed: BTreeSet<_> = allowed.split(", ").map(str::to_owned).collect();
                        assert_eq!(allowed, known, "{template}");
                    }
                    found => panic!("{method} {template}: {found:?}"),
                }
            }
        }
        // One of the routes is the operator's, which are counted by themselves, and one the dashboard's
        // pages, which are for people.
        assert_eq!(routes.len(), Route::COUNT - 2, "a route is not described");
        assert_eq!(operators.len(), Operator::COUNT, "an operator's route is not described");
    }

    #[test]
    fn the_operator_s_routes_need_the_token() {
        for (template, path) in paths() {
            let url = filled(&template).leak();
            for method in METHODS {
                let Some(operation) = path.get(method) else { continue };
                let route = Route::of(&method.to_uppercase(), url).unwrap();
                let needs_token = operation["security"] == serde_json::json!([{ "operator": [] }]);
                let is_operator = matches!(route, Route::Operator(_));
                assert_eq!(needs_token, is_operator, "{method} {template}");
            }
        }
    }
}
