//! The OpenAPI document, which `GET /openapi.json` serves: `docs/openapi.json` without white space.
//!
//! To describe another route, add its path there. Tests compare the document's paths and methods with
//! the routes of the code, its examples with its schemas, and every answer of the end-to-end tests with
//! what is described.

const WRITTEN: &[u8] = include_bytes!("../docs/openapi.json");

const LENGTH: usize = minify(WRITTEN, &mut []);

static MINIFIED: [u8; LENGTH] = {
    let mut bytes = [0; LENGTH];
    minify(WRITTEN, &mut bytes);
    bytes
};

/// The document as JSON.
pub fn document() -> &'static str {
    str::from_utf8(&MINIFIED).unwrap_or_default()
}

/// Copies JSON without the white space between its tokens, as far as there is room; returns how many
/// bytes it has.
const fn minify(mut json: &[u8], mut to: &mut [u8]) -> usize {
    let (mut length, mut in_string, mut escaped) = (0_usize, false, false);
    while let Some((byte, rest)) = json.split_first() {
        json = rest;
        let is_space = matches!(*byte, b' ' | b'\n' | b'\r' | b'\t');
        if in_string || !is_space {
            length = length.saturating_add(1);
            let all = to;
            to = &mut [];
            if let Some((place, others)) = all.split_first_mut() {
                *place = *byte;
                to = others;
            }
        }
        in_string = in_string != (*byte == b'"' && !escaped);
        escaped = in_string && *byte == b'\\' && !escaped;
    }
    length
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_is_the_written_one() {
        let written: Value = serde_json::from_slice(WRITTEN).unwrap();
        let served: Value = serde_json::from_str(document()).unwrap();
        assert_eq!(served, written);
        assert!(!document().contains('\n') && document().len() < WRITTEN.len());
        assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn white_space_is_kept_in_strings_alone() {
        let minified = |json: &str| {
            let mut bytes = vec![0; minify(json.as_bytes(), &mut [])];
            minify(json.as_bytes(), &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(minified("{ \"a b\" :\n [ 1 , \"c \\\" d\" ] }"), r#"{"a b":[1,"c \" d"]}"#);
        assert_eq!(minified(r#"["a\\" , "b"]"#), r#"["a\\","b"]"#);
    }
}
