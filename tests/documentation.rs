//! The documentation shows what is there.

use std::collections::BTreeSet;
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

/// The README, the changelog and every page in docs/, by path.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = docs.map(|name| format!("docs/{}", name.to_str().unwrap()));
    let mut pages: Vec<String> = docs.filter(|path| path.ends_with(".md")).collect();
    pages.extend(["README.md", "CHANGELOG.md"].map(str::to_owned));
    pages
}

/// The lines of a page outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The anchors of a page's headings, as GitHub and crates.io make them.
fn anchors(page: &str) -> Vec<String> {
    let text = read(page);
    let headings = prose(&text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = read(&page);
        let prose = prose(&text).collect::<Vec<_>>().join("\n");
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&page).parent().unwrap();
            let target = if path.is_empty() { page.clone().into() } else { folder.join(path) };
            let target = target.to_str().unwrap();
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists();
            assert!(there, "{page}: nothing is at {link}");
            let found = anchor.is_empty() || anchors(target).iter().any(|known| known == anchor);
            assert!(found, "{page}: no heading has the anchor of {link}");
        }
    }
    assert!(links > 60, "the links are not there");
}

/// The Rust files in a folder and those below it, without tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.contains("tests") && name != "settings.rs" {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned());
        }
    }
    found
}

/// The settings that the code reads, by the functions of `Settings`.
fn settings() -> BTreeSet<String> {
    const READERS: [&str; 13] = [
        "choice",
        "number",
        "optional_secret",
        "required_choice",
        "required_number",
        "required_secret",
        "required_secrets",
        "required_table",
        "required_text",
        "table",
        "text",
        "text_entries",
        "texts",
    ];
    let mut keys = BTreeSet::new();
    for text in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text: String = text.split_whitespace().collect();
        for reader in READERS {
            let call = format!(".{reader}(\"");
            let calls = text.split(&call).skip(1);
            keys.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    keys
}

#[test]
fn every_setting_is_documented() {
    let pages = ["docs/configuration.md", "docs/platforms.md"].map(read).concat();
    let settings = settings();
    for key in &settings {
        let named = [format!("`{key}`"), format!("{key} = ")];
        assert!(named.iter().any(|name| pages.contains(name)), "{key} is not documented");
    }
    assert!(settings.len() > 40, "the settings are not found: {settings:?}");
}

#[test]
fn every_vendor_is_documented() {
    let page = read("docs/configuration.md");
    for (api, _) in erasure_relay::vendor::APIS {
        assert!(page.contains(&format!("`{api}`")), "{api} is not documented");
    }
}

/// A second heading of the same name could not be linked to.
#[test]
fn no_page_has_two_headings_with_one_anchor() {
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        let mut known = BTreeSet::new();
        for anchor in anchors(&page) {
            assert!(known.insert(anchor.clone()), "{page}: two headings have the anchor #{anchor}");
        }
    }
}

#[test]
fn every_callback_is_documented() {
    let page = read("docs/configuration.md");
    let section = page.split("## Telling the platform").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    for (kind, _) in erasure_relay::callback::KINDS {
        assert!(section.contains(&format!("`{kind}`")), "{kind} is not documented");
    }
}
