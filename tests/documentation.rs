//! The documentation shows what is there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// docs/adding-a-vendor.md shows the files of the example vendor, all of them and as they are.
#[test]
fn the_example_vendor_is_shown_as_it_is() {
    let page = read("docs/adding-a-vendor.md");
    let mut parts = page.split("```rust\n");
    let mut before = parts.next().unwrap();
    let mut shown = Vec::new();
    for part in parts {
        let (code, after) = part.split_once("```\n").unwrap();
        let line = before.trim_end().lines().last().unwrap();
        let file = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:"));
        let file = file.unwrap_or_else(|| panic!("no file is named by \"{line}\""));
        assert!(code == read(file), "docs/adding-a-vendor.md shows another text than {file}");
        shown.push(file);
        before = after;
    }
    let folders = ["src/vendor", "standin/src", "standin/tests/wire", "tests/e2e"];
    assert_eq!(shown, folders.map(|folder| format!("{folder}/acme.rs")));
    assert!(page.contains(&format!("for folder in {}; do", folders.join(" "))));
}

/// The stand-in of a simple vendor is short.
#[test]
fn the_stand_in_of_the_example_takes_at_most_60_lines() {
    assert!(read("standin/src/acme.rs").lines().count() <= 60);
}
