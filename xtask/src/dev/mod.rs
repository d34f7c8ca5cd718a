//! `cargo xtask dev`: the Worker as `wrangler.toml` configures it, with stand-in vendors, until
//! stopped.
//!
//! ```text
//! command   what can be typed while it runs
//! ```

mod command;

use std::io::{BufRead, stdin};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::builder::NonEmptyStringValueParser;
use send::configured::Platform;
use send::output::line;
use send::session::Session;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};

use crate::local::{Local, Vendor, line_of};
use crate::toolchain::Toolchain;
use crate::webhook::send;
use crate::workerd::Workerd;
use crate::{bundle, root};

use command::Command;

/// How long the Worker may take to be ready once its port is open.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often it is asked whether it is ready.
const POLL: Duration = Duration::from_millis(100);

/// How often it is looked what platforms were told.
const LOOK: Duration = Duration::from_millis(200);

/// Lines of wrangler about requests that follow an erasure, which come twice a second.
const NOISE: [&str; 2] = ["] GET /healthz ", "] GET /erasures/"];

/// How it is served.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The port on 127.0.0.1; 0 has the system choose one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Makes a vendor account fail from the start: ACCOUNT=down, throttle, reject or hang. It can be
    /// changed at the prompt
    #[arg(long, value_name = "ACCOUNT=HOW", value_delimiter = ',',
          value_parser = NonEmptyStringValueParser::new())]
    pub fail: Vec<String>,
}

/// Serves until Ctrl-C, a signal, `quit`, or the end of wrangler.
///
/// # Errors
/// Where the Worker does not start, or ends by itself.
pub fn run(toolchain: &Toolchain, options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut local = Local::start().await?;
        for wanted in &options.fail {
            let (account, how) = wanted.split_once('=').context("--fail is ACCOUNT=HOW")?;
            Command::parse(&format!("{account} {how}"), &local)?.apply(&local)?;
        }
        let bundle = bundle::built_or_build(toolchain)?;
        eprintln!("Worker: starting wrangler");
        let deployment = local.deployment();
        let mut worker = Workerd::start_at(options.port, toolchain, &bundle, &deployment).await?;
        ready(&worker, local.admin_token()?).await?;
        let session = Session {
            url: worker.url(""),
            admin_token: local.admin_token()?.to_owned(),
            vars: local.vars.clone(),
            credentials: local.credentials.clone(),
        };
        let _announced = session.announce(root())?;
        introduce(&local, &worker)?;
        let served = serve(&mut local, &mut worker).await;
        worker.stop().await?;
        served
    })
}

/// Waits until the Worker says that its configuration is complete.
async fn ready(worker: &Workerd, token: &str) -> Result<()> {
    let url = worker.url("/healthz");
    let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
    let mut last = String::from("no answer");
    let waiting = async {
        loop {
            match send("GET", &url, &headers, "").await {
                Ok(reply) if reply.status == 200 => return,
                Ok(reply) => last = reply.text,
                Err(error) => last = format!("{error:#}"),
            }
            sleep(POLL).await;
        }
    };
    let ready = timeout(READY_LIMIT, waiting).await;
    ready.map_err(|_| anyhow::anyhow!("the Worker is not ready: GET /healthz: {last}"))
}

/// Prints logs and carries out commands until somebody or something ends it. Where workerd crashes,
/// wrangler starts it again and says so.
async fn serve(local: &mut Local, worker: &mut Workerd) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut typed = typed_lines();
    let mut lines = worker.lines();
    let mut look = interval(LOOK);
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            ended = worker.ended() => bail!("wrangler has ended ({})\n{}", ended?, worker.log()),
            new = lines.next() => {
                let quiet = |text: &&String| !NOISE.iter().any(|noise| text.contains(noise));
                new.iter().filter(quiet).try_for_each(line)?;
            }
            _ = look.tick() => show_messages(local)?,
            Some(text) = typed.recv() => match Command::parse(&text, local) {
                Ok(Command::Quit) => return Ok(()),
                Ok(command) => {
                    line(command.apply(local)?)?;
                    if let Command::Fail(index, _) = command
                        && let Some(vendor) = local.vendors.get(index)
                    {
                        show_how_to_resume(local, worker, vendor)?;
                    }
                }
                Err(error) => line(format_args!("{error:#}"))?,
            },
        }
    }
}

/// What platforms and the operator were told since the last time.
fn show_messages(local: &mut Local) -> Result<()> {
    for recipient in &mut local.recipients {
        for message in recipient.new_messages() {
            line(format_args!("To {}: {}", recipient.name(), line_of(&message)?))?;
        }
    }
    Ok(())
}

/// Lines of the standard input. Its end ends nothing: there may be nobody who types.
fn typed_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    // Its own thread: reading blocks, and must not keep the runtime from ending.
    thread::spawn(move || {
        for text in stdin().lock().lines().map_while(Result::ok) {
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    lines
}

/// For people, where the vendor rejects the credentials.
fn show_how_to_resume(local: &Local, worker: &Workerd, vendor: &Vendor) -> Result<()> {
    let shown = command::how_to_resume(vendor, &operator_header(local)?, &worker.url(""));
    shown.filter(|_| local.durable).map_or(Ok(()), line)
}

/// The operator's token as curl takes it.
fn operator_header(local: &Local) -> Result<String> {
    Ok(format!("-H 'authorization: Bearer {}'", local.admin_token()?))
}

/// The commands that send a webhook of the source `name`. Where the platform sends one webhook for each
/// identifier, there are two with the id `request_id`, which makes them one erasure.
fn samples(name: &str, platform: &str, request_id: &str) -> Vec<String> {
    let command = format!("  cargo xtask send --source {name}");
    if ["transcend", "datagrail-drop", "iab-ddrf"].contains(&platform) {
        vec![
            format!("{command} --user-id 1001 --request-id {request_id}"),
            format!("{command} --email test@example.com --request-id {request_id}"),
            "    (this platform sends one webhook for each identifier; those with the same id are one \
             erasure)"
                .to_owned(),
        ]
    } else {
        vec![format!("{command} --user-id 1001 --email test@example.com")]
    }
}

fn introduce(local: &Local, worker: &Workerd) -> Result<()> {
    let delivery = if local.durable { "durable" } else { "direct" };
    line(format_args!("Ready: {} ({delivery} delivery)", worker.url("")))?;
    for note in &local.notes {
        line(format_args!("  {note}"))?;
    }
    line("\nSend a webhook, from another terminal:")?;
    let request_id = format!("{:032x}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    for source in &local.config.sources {
        let platform = Platform::of(&local.config, &local.vars, &source.name)?;
        samples(&source.name, platform.name(), &request_id).iter().try_for_each(line)?;
    }
    if local.durable {
        line("\nThe dashboard, with a token of this run:")?;
        line(format_args!("  {}    {}", worker.url("/"), local.admin_token()?))?;
        line("\nThe operator's routes:")?;
        let header = operator_header(local)?;
        line(format_args!("  curl -sS {header} {}", worker.url("/erasures")))?;
        line(format_args!("  curl -sS {header} {}", worker.url("/lanes")))?;
        line("\nKeep a signed receipt, and verify it:")?;
        let receipt = worker.url("/erasures/SOURCE/REQUEST_ID");
        line(format_args!(
            "  curl -sS --fail-with-body --include {header} {receipt} > receipt.http"
        ))?;
        let keys = worker.url("/.well-known/erasure-relay.json");
        line(format_args!("  cargo xtask verify-receipt --key {keys} receipt.http"))?;
    }
    line("\nThe vendors are stand-ins:")?;
    for vendor in &local.vendors {
        let state = command::state(vendor);
        line(format_args!("  {} ({}): {state}", vendor.name, vendor.api))?;
        show_how_to_resume(local, worker, vendor)?;
    }
    if !local.recipients.is_empty() {
        line("\nThose who are told are stand-ins, and each message is shown:")?;
    }
    for recipient in &local.recipients {
        line(format_args!("  {}: {}", recipient.name(), recipient.stand_in.url("")))?;
    }
    line(format_args!("{}\n", command::help(local)))
}

#[cfg(test)]
mod tests {
    use super::samples;

    #[test]
    fn a_platform_with_one_identifier_in_a_webhook_is_played_by_two() {
        let shop = samples("shop", "shopify", "1f");
        let both = "  cargo xtask send --source shop --user-id 1001 --email test@example.com";
        assert_eq!(shop, [both]);
        let two = samples("privacy", "transcend", "1f");
        let expected = [
            "  cargo xtask send --source privacy --user-id 1001 --request-id 1f",
            "  cargo xtask send --source privacy --email test@example.com --request-id 1f",
        ];
        assert_eq!(two[..2], expected);
        assert!(two[2].contains("one erasure"), "{two:?}");
    }
}
