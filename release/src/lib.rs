//! Packs a release: what `cargo xtask release` does. The archive holds the bundle, a `wrangler.toml`
//! without a build step, what plain `workerd` needs, the documentation, an SBOM and checksums. The same
//! commit makes the same archive.

mod sbom;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use toml_edit::DocumentMut;

/// What is packed as it is: files, and folders with all that is directly in them.
const FILES: [&str; 8] = [
    ".dev.vars.example",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "build/index.js",
    "build/index_bg.wasm",
    "deploy/workerd",
    "docs",
];

/// The time of every file, in seconds since the Unix epoch, where this is set
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// An archive that was written.
pub struct Archive {
    /// The `.tar.gz`. Its checksum lies beside it, in a file of the same name with `.sha256`.
    pub path: PathBuf,
    /// The checksum in hexadecimal.
    pub sha256: String,
    /// The files that are not as they were committed, by path: with another content of them, the same
    /// commit makes another archive. Empty where git does not know.
    pub uncommitted: Vec<String>,
}

/// What is read of Cargo.toml.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

/// What is read of wrangler.toml.
#[derive(Deserialize)]
struct Wrangler {
    vars: Vars,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Vars {
    sources: toml::Table,
    vendors: toml::Table,
}

/// Packs the bundle in `root`/build into the folder `into`.
///
/// # Errors
/// Where a file is missing, or cargo does not tell what the bundle is made of.
pub fn pack(root: &Path, into: &Path) -> Result<Archive> {
    let manifest: Manifest = toml::from_str(&fs::read_to_string(root.join("Cargo.toml"))?)?;
    let name = format!("erasure-relay-{}", manifest.package.version);
    let mut files = BTreeMap::new();
    for path in FILES {
        collect(root, path, &mut files)?;
    }
    files.insert("sbom.cdx.json".to_owned(), sbom::sbom(root)?);
    let wrangler = template(root)?;
    let wrangler = str::from_utf8(&wrangler).context("wrangler.toml is not text")?;
    files.insert("wrangler.toml".to_owned(), without_build(wrangler)?.into_bytes());
    for (table, json) in settings(wrangler)? {
        files.insert(format!("deploy/workerd/{table}.json"), json.into_bytes());
    }
    let mut sums = String::new();
    for (path, content) in &files {
        writeln!(sums, "{}  {path}", sha256(content))?;
    }
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());

    let archive = archive(&name, &files, time(root)?)?;
    let (path, sha256) = (into.join(format!("{name}.tar.gz")), sha256(&archive));
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    fs::write(&path, archive).with_context(|| format!("cannot write {}", path.display()))?;
    fs::write(into.join(format!("{name}.tar.gz.sha256")), format!("{sha256}  {name}.tar.gz\n"))?;
    Ok(Archive { path, sha256, uncommitted: uncommitted(root) })
}

/// What git writes, where it can be started and succeeds.
fn git(root: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// `wrangler.toml` as it was committed: the working tree's may hold the settings of whoever packs the
/// release. Where git does not know it, it is the file itself.
fn template(root: &Path) -> Result<Vec<u8>> {
    git(root, &["show", "HEAD:./wrangler.toml"]).map_or_else(|| read(root, "wrangler.toml"), Ok)
}

/// The files that are not as they were committed, but for `wrangler.toml` and what git ignores.
fn uncommitted(root: &Path) -> Vec<String> {
    let status = git(root, &["status", "--porcelain", "-z", "--no-renames", "--", "."]);
    let status = String::from_utf8_lossy(&status.unwrap_or_default()).into_owned();
    // Each is two letters, a space and the path.
    let paths = status.split('\0').filter_map(|entry| entry.get(3..));
    paths.filter(|path| *path != "wrangler.toml").map(str::to_owned).collect()
}

fn read(root: &Path, path: &str) -> Result<Vec<u8>> {
    fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))
}

/// Adds the file `path`, or the files in the folder.
fn collect(root: &Path, path: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    if !root.join(path).is_dir() {
        files.insert(path.to_owned(), read(root, path)?);
        return Ok(());
    }
    for entry in fs::read_dir(root.join(path)).with_context(|| format!("cannot read {path}"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().into_string().ok().context("a file's name is no text")?;
            collect(root, &format!("{path}/{name}"), files)?;
        }
    }
    Ok(())
}

/// `wrangler.toml` without its build step; comments stay.
fn without_build(text: &str) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("wrangler.toml is not TOML")?;
    document.remove("build").context("wrangler.toml has no build step")?;
    Ok(document.to_string())
}

/// The settings of `wrangler.toml` as workerd embeds them: `sources` and `vendors`, each as JSON.
fn settings(wrangler: &str) -> Result<[(&'static str, String); 2]> {
    let Wrangler { vars } = toml::from_str(wrangler).context("wrangler.toml has no settings")?;
    let json = |table: &toml::Table| serde_json::to_string_pretty(table).map(|text| text + "\n");
    Ok([("sources", json(&vars.sources)?), ("vendors", json(&vars.vendors)?)])
}

/// The time that all files bear: as the environment says, or the commit's.
fn time(root: &Path) -> Result<u64> {
    let set = std::env::var(SOURCE_DATE_EPOCH).ok();
    let text = match set {
        Some(text) => text,
        None => {
            let output = git(root, &["log", "-1", "--format=%ct"]);
            let output = output.with_context(|| {
                format!("git does not tell the commit's time: set {SOURCE_DATE_EPOCH}")
            })?;
            String::from_utf8_lossy(&output).into_owned()
        }
    };
    text.trim().parse().with_context(|| format!("{SOURCE_DATE_EPOCH} must be a number"))
}

/// A gzipped tar of the files in a folder of this name: in order, of the user 0, readable by all.
fn archive(name: &str, files: &BTreeMap<String, Vec<u8>>, time: u64) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    for (path, content) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, format!("{name}/{path}"), &content[..])?;
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).context("cannot compress")
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}"); // a String takes every write
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_build_step_goes_and_everything_else_stays() {
        let text = fs::read_to_string(root().join("wrangler.toml")).unwrap();
        let without = without_build(&text).unwrap();
        assert!(!without.contains("[build]") && !without.contains("cargo xtask build"));
        let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(lines(&without), lines(&text) - 2);
        assert!(text.lines().filter(|line| line.starts_with('#')).all(|it| without.contains(it)));
    }

    #[test]
    fn the_settings_of_whoever_packs_it_are_not_in_a_release() {
        let folder = std::env::temp_dir().join(format!("release-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |path: &str, text: &str| fs::write(folder.join(path), text).unwrap();
        write("wrangler.toml", "template");
        assert_eq!(template(&folder).unwrap(), b"template", "without git it is the file");
        let author = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
        let commit = [&author[..], &["commit", "-q", "--no-gpg-sign", "-m", "First"]].concat();
        for arguments in [&["init", "-q"][..], &["add", "."], &commit] {
            assert!(git(&folder, arguments).is_some(), "{arguments:?}");
        }
        assert!(uncommitted(&folder).is_empty());
        write("wrangler.toml", "settings");
        write("README.md", "new");
        assert_eq!(template(&folder).unwrap(), b"template");
        assert_eq!(uncommitted(&folder), ["README.md"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[derive(Deserialize)]
    struct Npm {
        packages: BTreeMap<String, NpmPackage>,
    }

    #[derive(Deserialize)]
    struct NpmPackage {
        version: Option<String>,
    }

    #[derive(Deserialize)]
    struct Compatibility {
        compatibility_date: String,
        compatibility_flags: Vec<String>,
    }

    /// What is written twice is the same.
    #[test]
    fn versions_are_those_that_are_tested() {
        let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        let npm: Npm = serde_json::from_str(&text("package-lock.json")).unwrap();
        let documentation = text("docs/deploy.md");
        for name in ["wrangler", "workerd"] {
            let version = npm.packages[&format!("node_modules/{name}")].version.clone().unwrap();
            let named: Vec<&str> = documentation.split(&format!("{name}@")).skip(1).collect();
            assert!(!named.is_empty() && named.iter().all(|rest| rest.starts_with(&version)));
        }
        let capnp = text("deploy/workerd/release.capnp");
        let worker: Compatibility = toml::from_str(&text("wrangler.toml")).unwrap();
        assert!(capnp.contains(&format!("Date :Text = \"{}\"", worker.compatibility_date)));
        let flags = format!("Flags :List(Text) = {:?}", worker.compatibility_flags);
        assert!(capnp.contains(&flags), "{flags}");
        let manifest: Manifest = toml::from_str(&text("Cargo.toml")).unwrap();
        assert!(text("CHANGELOG.md").contains(&format!("## [{}]", manifest.package.version)));
    }

    /// workerd hands on the secrets that the shipped configuration names.
    #[test]
    fn every_secret_of_the_shipped_settings_is_bound() {
        let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        let (settings, config) =
            (settings(&text("wrangler.toml")).unwrap(), text("deploy/workerd/config.capnp"));
        let words = settings.iter().flat_map(|(_, json)| json.split('"'));
        let is_name = |word: &&str| {
            word.contains('_') && word.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
        };
        let names: Vec<&str> = words.filter(is_name).collect();
        assert!(names.contains(&"INSIDER_TOKEN"), "{names:?}");
        for name in names {
            let binding = format!("(name = \"{name}\", fromEnvironment = \"{name}\")");
            assert!(config.contains(&binding), "{name}");
        }
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let files = [("b", "two"), ("a/c", "one")]
            .map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec()));
        let files: BTreeMap<_, _> = files.into();
        let one = archive("n-1", &files, 1_795_325_400).unwrap();
        assert_eq!(one, archive("n-1", &files, 1_795_325_400).unwrap());
        let mut unpacked = tar::Archive::new(flate2::read::GzDecoder::new(&one[..]));
        let read = unpacked.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 1_795_325_400);
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        let read: Vec<_> = read.collect();
        let expected = [("n-1/a/c", "one"), ("n-1/b", "two")];
        assert_eq!(read, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn the_sbom_lists_what_is_linked_and_nothing_else() {
        let text = String::from_utf8(sbom::sbom(root()).unwrap()).unwrap();
        assert_eq!(text.as_bytes(), sbom::sbom(root()).unwrap());
        let has = |name: &str| text.contains(&format!("\"purl\": \"pkg:cargo/{name}@"));
        for linked in ["erasure-relay", "worker", "chacha20poly1305", "serde_json", "web-sys"] {
            assert!(has(linked), "{linked}");
        }
        // A test's, a command's, a procedural macro.
        for other in ["ring", "clap", "serde_derive", "rusqlite"] {
            assert!(!has(other), "{other}");
        }
        let folder = env!("CARGO_MANIFEST_DIR");
        assert!(!text.contains(folder) && !text.contains("serialNumber"), "{text}");
    }
}
