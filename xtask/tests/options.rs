//! Options that would measure nothing are rejected before anything is set up or compiled.

use std::process::{Command, Output};

use anyhow::{Result, ensure};

fn xtask(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output()?)
}

#[test]
fn counts_of_zero_and_unknown_names_are_rejected() -> Result<()> {
    for (arguments, says) in [
        (["crash", "--webhooks", "0"], "0 is not in 1.."),
        (["soak", "--deliveries", "0"], "0 is not in 1.."),
        (["capacity", "--deliveries", "0"], "0 is not in 1.."),
        (["bench", "--rounds", "0"], "0 is not in 1.."),
        (["bench", "--only", "nosuch"], "possible values: direct, handwritten"),
    ] {
        let output = xtask(&arguments)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{arguments:?}: {}", output.status);
        ensure!(errors.contains(says), "{arguments:?}: {errors}");
        ensure!(!errors.contains("Toolchain"), "{arguments:?}: {errors}");
    }
    Ok(())
}
