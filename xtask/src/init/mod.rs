//! `cargo xtask init`: sets up `wrangler.toml` and `.dev.vars` for one's own platforms and vendors.
//!
//! ```text
//! options       what can be said on the command line
//! existing      what wrangler.toml says already
//! interview     each answer from the command line, or asked for at a terminal
//! source        the senders of webhooks
//! vendors       the vendors
//! plan          all answers, checked
//! recipe        what each platform needs
//! settings      wrangler.toml, its comments kept
//! secret        what the deployed Worker needs
//! secret_file   .dev.vars, its secrets kept
//! ```
//!
//! Nothing is written unless the result passes the check of `cargo xtask build`.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::configuration::{self, Purpose, Report};

mod existing;
mod interview;
mod options;
mod plan;
mod recipe;
mod secret;
mod secret_file;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod vendors;

use existing::Existing;
use interview::Interview;
pub use options::Options;
use plan::Plan;
use secret::Secret;
use secret_file::SecretFile;

/// Sets up the project's folder, asking at the terminal for what the options leave open.
///
/// # Errors
/// Every answer that is missing or wrong, by its option; every problem of the configuration that
/// would result. Then nothing is written.
pub fn run(options: &Options) -> Result<()> {
    let is_terminal = io::stdin().is_terminal();
    let mut interview = Interview::new(is_terminal.then(|| io::stdin().lock()), io::stderr());
    set_up(crate::root(), options, &mut interview, &mut io::stdout().lock())
}

/// Sets up `folder`, and tells `out` what to keep and what is left to do.
fn set_up(
    folder: &Path,
    options: &Options,
    interview: &mut Interview<impl BufRead, impl Write>,
    out: &mut impl Write,
) -> Result<()> {
    let path = folder.join("wrangler.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let existing = Existing::read(&text, options.env.as_deref())?;
    let mut secrets = SecretFile::read(&folder.join(plan::secret_file(options.env.as_deref())))?;
    let plan = Plan::make(options, &existing, &secrets, interview)?;
    let written = settings::write(&text, &plan)?;
    let wrangler = configuration::read(&written)?;
    let report = configuration::check(&wrangler);
    report.conclude(Purpose::Trial).context("nothing was written")?;

    let made = secrets.complete(&plan.secrets())?;
    if written != text {
        replace(&path, &written)?;
    }
    secrets.write()?;
    let result = SetUp {
        plan: &plan,
        wrangler: &wrangler,
        existing: &existing,
        secrets: &secrets,
        report: &report,
    };
    result.tell(&made, out).context("cannot write to standard output")
}

/// Replaces a file in one step, so that it is never half written.
fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("toml.new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What was set up.
struct SetUp<'a> {
    plan: &'a Plan,
    /// wrangler.toml as it is now.
    wrangler: &'a Value,
    existing: &'a Existing,
    secrets: &'a SecretFile,
    report: &'a Report,
}

impl SetUp<'_> {
    /// Shows the new secrets, each once, and what is left to do.
    fn tell(&self, made: &[secret_file::Made], out: &mut impl Write) -> io::Result<()> {
        let file = plan::secret_file(self.plan.env.as_deref());
        writeln!(out, "wrangler.toml is set up for {}.\n", self.summary())?;
        let changes = self.existing.changes(&self.root()["vars"]);
        if !changes.is_empty() {
            writeln!(out, "Changed settings:\n")?;
            for change in changes {
                writeln!(out, "  {change}")?;
            }
            writeln!(out)?;
        }
        for (name, source) in self.table("SOURCES") {
            let asked = source["vendors"].as_array();
            let is_asked =
                |vendor: &str| asked.is_none_or(|all| all.iter().any(|one| one == vendor));
            for vendor in self.plan.vendors().into_iter().filter(|vendor| !is_asked(vendor)) {
                writeln!(out, "note: SOURCES.{name}.vendors stays as it is, without {vendor:?}\n")?;
            }
        }
        for warning in self.report.warnings() {
            writeln!(out, "warning: {warning}\n")?;
        }
        if !made.is_empty() {
            let shown = "shown here once and stored in";
            writeln!(out, "New secrets, {shown} {file} (which git ignores):\n")?;
            for one in made {
                writeln!(out, "  {} = {}", one.name, one.value)?;
                writeln!(out, "    {}\n", one.keep)?;
            }
        }
        let secrets = self.plan.secrets();
        let is_missing = |secret: &&Secret| !self.secrets.is_filled_in(&secret.name);
        let missing: Vec<_> = secrets.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            writeln!(out, "Secrets that others give you: fill them in in {file}:\n")?;
            for secret in missing {
                writeln!(out, "  {}: {}", secret.name, secret.origin.explanation())?;
            }
            writeln!(out)?;
        }
        writeln!(out, "Webhooks go to these paths of the Worker's address:\n")?;
        for (name, source) in self.table("SOURCES") {
            let platform = source["platform"].as_str().unwrap_or_default();
            writeln!(out, "  {platform}: POST /webhooks/{name}")?;
        }
        let local = self.plan.env.as_ref().map(|env| format!(" --env {env}")).unwrap_or_default();
        let deployed = self.environment_argument();
        writeln!(out, "\nTo try it on this machine, with the secrets of {file}:\n")?;
        writeln!(out, "  npx wrangler dev{local}\n")?;
        writeln!(
            out,
            "To deploy it with these secrets, in place of deployed ones of the same names; or \
             to set a single one:\n"
        )?;
        writeln!(out, "  npx wrangler deploy --secrets-file {file}{deployed}")?;
        writeln!(out, "  npx wrangler secret put NAME{deployed}")
    }

    /// What wrangler is given to mean the same environment; the top level must be named as well where
    /// there are others.
    fn environment_argument(&self) -> String {
        match &self.plan.env {
            Some(env) => format!(" --env {env}"),
            None if self.wrangler["env"].is_object() => " --env \"\"".to_owned(),
            None => String::new(),
        }
    }

    /// All sources and vendors, for people.
    fn summary(&self) -> String {
        let sources: Vec<String> = self
            .table("SOURCES")
            .map(|(name, source)| {
                format!("{name} ({})", source["platform"].as_str().unwrap_or("?"))
            })
            .collect();
        let vendors: Vec<&str> = self.table("VENDORS").map(|(name, _)| name.as_str()).collect();
        let place = self.plan.env.as_ref().map(|env| format!(" in the environment {env}"));
        format!(
            "{}, asking {}{}; delivery is {}",
            sources.join(", "),
            vendors.join(" and "),
            place.unwrap_or_default(),
            options::word(self.plan.delivery)
        )
    }

    /// The entries of a variable that is a table.
    fn table(&self, variable: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.root()["vars"][variable].as_object().into_iter().flatten()
    }

    fn root(&self) -> &Value {
        match &self.plan.env {
            Some(env) => &self.wrangler["env"][env],
            None => self.wrangler,
        }
    }
}

/// `count` bytes of the system's randomness.
fn random<const COUNT: usize>() -> Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    let made = getrandom::fill(&mut bytes);
    ensure!(made.is_ok(), "the system gives no random bytes");
    Ok(bytes)
}
