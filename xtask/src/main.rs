//! `cargo xtask`: the project's commands.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use send::output;
use xtask::toolchain::Toolchain;
use xtask::{
    api_test, bench, bundle, capacity, checks, configuration, crash, demo, dev, init, program, soak,
};

/// The project's commands. Each sets up by itself what is missing on this machine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Show the Worker at work as wrangler.toml configures it: signed webhooks, local stand-ins for
    /// the vendors, each receipt
    Demo,
    /// Run every test: native, Wasm, end to end in workerd
    Test,
    /// Test the HTTP interface in workerd against docs/openapi.json, with generated requests
    ApiTest(api_test::Options),
    /// Serve the Worker as wrangler.toml configures it, with stand-in vendors, until stopped
    Dev(dev::Options),
    /// Set up wrangler.toml and .dev.vars for your platforms and vendors, and make the secrets
    Init(Box<init::Options>),
    /// Sign a webhook as a platform does and send it to any deployment (send --help)
    #[command(disable_help_flag = true)]
    Send {
        /// What `send --help` explains
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Verify a receipt that was kept, with the public key alone (verify-receipt --help)
    #[command(disable_help_flag = true)]
    VerifyReceipt {
        /// What `verify-receipt --help` explains
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kill the Worker again and again under load, and count what was lost or done twice
    Crash(crash::Options),
    /// Let a backlog flow at a vendor's limit, and count how closely it was kept
    Soak(soak::Options),
    /// Measure what one lane stores, sends and shows, and in what time
    Capacity(capacity::Options),
    /// Measure what a webhook costs, beside Workers that do the same job in JavaScript
    Bench(bench::Options),
    /// Check wrangler.toml, and build the release bundle into build/
    Build,
    /// Pack the release: an archive that wrangler deploys without Rust (release --help)
    #[command(disable_help_flag = true)]
    Release {
        /// What `release --help` explains
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Make this machine able to build
    Setup,
    /// Everything that must hold before a change lands: format, lints, every test
    Ci,
}

fn main() -> ExitCode {
    output::exit_code(run(Command::parse()))
}

fn run(command: Command) -> Result<()> {
    match &command {
        Command::Send { arguments } => return program::run("send", arguments),
        Command::VerifyReceipt { arguments } => return program::run("verify-receipt", arguments),
        _ => {}
    }
    if let Command::Init(options) = command {
        return init::run(&options);
    }
    let toolchain = Toolchain::ensure()?;
    match command {
        Command::Demo => demo::run(&toolchain),
        Command::Test => checks::test(&toolchain),
        Command::ApiTest(options) => api_test::run(&toolchain, options),
        Command::Dev(options) => dev::run(&toolchain, &options),
        Command::Crash(options) => crash::run(&toolchain, options),
        Command::Soak(options) => soak::run(&toolchain, options),
        Command::Capacity(options) => capacity::run(&toolchain, options),
        Command::Bench(options) => bench::run(&toolchain, options),
        Command::Build => {
            configuration::check_shipped()?;
            bundle::build(&toolchain).map(drop)
        }
        Command::Release { arguments } => {
            // Its wrangler.toml is a template: whoever deploys the archive completes it.
            bundle::build(&toolchain)?;
            program::run("release", &arguments)
        }
        Command::Setup
        | Command::Init(_)
        | Command::Send { .. }
        | Command::VerifyReceipt { .. } => Ok(()),
        Command::Ci => checks::ci(&toolchain),
    }
}
