//! `cargo xtask dev`: the Worker with stand-in vendors, until stopped.

use anyhow::Result;

use crate::bundle;
use crate::demo::{ADMIN_TOKEN, SECRET, Vendors};
use crate::toolchain::Toolchain;
use crate::workerd::Workerd;

/// Serves until Ctrl-C.
///
/// # Errors
/// Where the Worker does not start.
pub fn run(toolchain: &Toolchain) -> Result<()> {
    let bundle = bundle::build(toolchain)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let vendors = Vendors::start().await?;
        let worker = Workerd::start(toolchain, &bundle, &vendors.deployment()?).await?;
        println!("Webhooks    POST {}", worker.url("/webhooks/consent"));
        println!("signed with {SECRET} (for local use only)");
        println!("Health      GET {}", worker.url("/healthz"));
        println!("Receipts    GET {}", worker.url("/erasures"));
        println!("Lanes       GET {}", worker.url("/lanes"));
        println!("both with Authorization: Bearer {ADMIN_TOKEN} (for local use only)");
        println!("Instacart   {} (a stand-in)", vendors.instacart.base_url());
        println!("Insider     {} (a stand-in)", vendors.insider.base_url());
        println!("Stop with Ctrl-C.");
        worker.follow_log(|line| println!("{line}"), tokio::signal::ctrl_c()).await?;
        worker.stop().await?;
        Ok(())
    })
}
