//! The software bill of materials: every crate that is compiled into the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata as BomMetadata;
use cyclonedx_bom::prelude::{NormalizedString, Validate};
use serde::Deserialize;

/// The Worker's package, and what it is compiled for.
const PACKAGE: &str = "erasure-relay";
const TARGET: &str = "wasm32-unknown-unknown";

/// What is read of Cargo.lock.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// A package by name and version.
type Name = (String, String);

/// The bill of materials as JSON of CycloneDX 1.5. It is the same for the same Cargo.lock: it has no
/// serial number and no time.
///
/// # Errors
/// Where cargo does not tell what the bundle is made of.
pub fn sbom(root: &Path) -> Result<Vec<u8>> {
    let metadata = metadata(root)?;
    let linked = linked(root)?;
    let lock: Lock = toml::from_str(&fs::read_to_string(root.join("Cargo.lock"))?)?;
    let checksums: BTreeMap<Name, String> = lock
        .package
        .into_iter()
        .filter_map(|locked| Some(((locked.name, locked.version), locked.checksum?)))
        .collect();
    let mut packages: Vec<&Package> =
        metadata.packages.iter().filter(|package| linked.contains(&name(package))).collect();
    packages.sort_by_key(|package| name(package));
    ensure!(packages.len() == linked.len(), "cargo metadata and cargo tree differ");

    let mut bom = Bom { serial_number: None, spec_version: SpecVersion::V1_5, ..Bom::default() };
    let (own, others): (Vec<&Package>, Vec<&Package>) =
        packages.iter().copied().partition(|package| package.name.as_str() == PACKAGE);
    let own = own.first().context("cargo tree does not list the Worker")?;
    let worker = component(own, Classification::Application, &checksums)?;
    bom.metadata = Some(BomMetadata { component: Some(worker), ..BomMetadata::default() });
    let libraries =
        others.iter().map(|package| component(package, Classification::Library, &checksums));
    bom.components = Some(Components(libraries.collect::<Result<_>>()?));
    bom.dependencies = Some(dependencies(&metadata, &packages)?);
    ensure!(bom.validate().passed(), "the SBOM is not valid: {:?}", bom.validate());
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json).map_err(|error| anyhow!("the SBOM: {error}"))?;
    json.push(b'\n');
    Ok(json)
}

fn metadata(root: &Path) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).features(CargoOpt::SomeFeatures(Vec::new()));
    command.other_options([
        "--locked".to_owned(),
        "--filter-platform".to_owned(),
        TARGET.to_owned(),
    ]);
    command.exec().context("cargo metadata failed")
}

/// The packages that are linked into the bundle: normal dependencies with the features of the Worker
/// alone, without procedural macros.
fn linked(root: &Path) -> Result<BTreeSet<Name>> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["tree", "--locked", "--package", PACKAGE, "--target", TARGET]);
    cargo.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.output().context("cargo tree cannot be started")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree failed: {errors}");
    let lines = str::from_utf8(&output.stdout)?.lines().filter(|line| !line.is_empty());
    let package = |line: &str| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some((name.to_owned(), version.to_owned()))
    };
    lines.map(package).collect::<Option<_>>().context("cargo tree lists no package")
}

fn name(package: &Package) -> Name {
    (package.name.to_string(), package.version.to_string())
}

fn purl(package: &Package) -> Result<Purl> {
    let (name, version) = name(package);
    Purl::new("cargo", &name, &version).map_err(|error| anyhow!("{name}: {error}"))
}

fn component(
    package: &Package,
    kind: Classification,
    checksums: &BTreeMap<Name, String>,
) -> Result<Component> {
    let purl = purl(package)?;
    let (name, version) = name(package);
    let mut component = Component::new(kind, &name, &version, Some(purl.to_string()));
    component.description = package.description.as_deref().map(NormalizedString::new);
    if let Some(license) = &package.license {
        let license = SpdxExpression::parse_lax(license.clone());
        let license = license.map_err(|error| anyhow!("{name}: its license: {error}"))?;
        component.licenses = Some(Licenses(vec![LicenseChoice::Expression(license)]));
    }
    if let Some(checksum) = checksums.get(&(name, version)) {
        let hash = Hash { alg: HashAlgorithm::SHA_256, content: HashValue(checksum.clone()) };
        component.hashes = Some(Hashes(vec![hash]));
    }
    component.purl = Some(purl);
    Ok(component)
}

/// Which of the packages depends on which.
fn dependencies(metadata: &Metadata, packages: &[&Package]) -> Result<Dependencies> {
    let references: BTreeMap<&PackageId, String> = packages
        .iter()
        .map(|package| Ok((&package.id, purl(package)?.to_string())))
        .collect::<Result<_>>()?;
    let nodes = &metadata.resolve.as_ref().context("cargo metadata resolved nothing")?.nodes;
    let mut all = Vec::new();
    for node in nodes {
        let Some(reference) = references.get(&node.id) else { continue };
        let on = node.dependencies.iter().filter_map(|id| references.get(id).cloned());
        let on: BTreeSet<String> = on.collect();
        all.push(Dependency {
            dependency_ref: reference.clone(),
            dependencies: on.into_iter().collect(),
        });
    }
    all.sort_by(|one, other| one.dependency_ref.cmp(&other.dependency_ref));
    Ok(Dependencies(all))
}
