//! `cargo xtask init`: sets up `wrangler.toml` and `.dev.vars` for one's own platforms and vendors.
//!
//! ```text
//! options       what can be said on the command line
//! interview     each answer from the command line, or asked for at a terminal
//! plan          all answers, checked
//! recipe        what each platform needs
//! settings      wrangler.toml, its comments kept
//! secret_file   .dev.vars, its secrets kept
//! ```
//!
//! Nothing is written unless the result passes the check of `cargo xtask build`.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::configuration::{self, Purpose};

mod interview;
mod options;
mod plan;
mod recipe;
mod secret_file;
mod settings;
#[cfg(test)]
mod tests;

use interview::Interview;
pub use options::Options;
use plan::Plan;
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
    let plan = Plan::make(options, interview)?;
    let path = folder.join("wrangler.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let written = settings::write(&text, &plan)?;
    let report = configuration::check(&configuration::read(&written)?);
    report.conclude(Purpose::Trial).context("nothing was written")?;

    let mut secrets = SecretFile::read(&folder.join(plan.secret_file()))?;
    let made = secrets.complete(&plan.secrets())?;
    if written != text {
        replace(&path, &written)?;
    }
    secrets.write()?;
    tell(&plan, &made, &report, out).context("cannot write to standard output")
}

/// Replaces a file in one step, so that it is never half written.
fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("toml.new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Shows the new secrets, each once, and what is left to do.
fn tell(
    plan: &Plan,
    made: &[secret_file::Made],
    report: &configuration::Report,
    out: &mut impl Write,
) -> io::Result<()> {
    let file = plan.secret_file();
    writeln!(out, "wrangler.toml is set up for {}.\n", plan.summary())?;
    for warning in report.warnings() {
        writeln!(out, "warning: {warning}\n")?;
    }
    if !made.is_empty() {
        writeln!(out, "New secrets, shown here once and stored in {file} (which git ignores):\n")?;
        for one in made {
            writeln!(out, "  {} = {}", one.name, one.value)?;
            writeln!(out, "    {}\n", one.keep)?;
        }
    }
    let secrets = plan.secrets();
    let others: Vec<_> = secrets.iter().filter(|secret| secret.origin.is_elsewhere()).collect();
    if !others.is_empty() {
        writeln!(
            out,
            "Secrets that others give you; for `npx wrangler dev`, fill them in in {file}:\n"
        )?;
        for secret in others {
            writeln!(out, "  {}: {}", secret.name, secret.origin.explanation())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Set each secret of the deployed Worker; wrangler asks for its value:\n")?;
    for secret in &secrets {
        writeln!(out, "  npx wrangler secret put {}{}", secret.name, plan.wrangler_arguments())?;
    }
    writeln!(out, "\nWebhooks go to these paths of the Worker's address:\n")?;
    for source in &plan.sources {
        writeln!(out, "  {}: POST /webhooks/{}", source.platform(), source.name)?;
    }
    writeln!(out, "\nThen: npx wrangler deploy{}", plan.wrangler_arguments())
}

/// `count` bytes of the system's randomness.
fn random<const COUNT: usize>() -> Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    let made = getrandom::fill(&mut bytes);
    ensure!(made.is_ok(), "the system gives no random bytes");
    Ok(bytes)
}
