//! What the program prints where it is used wrongly.

use std::process::Command;

#[test]
fn an_error_of_use_is_printed_without_a_backtrace() {
    let mut send = Command::new(env!("CARGO_BIN_EXE_send"));
    send.args(["--platform", "ketch", "--secret-env", "NOT_SET", "--email", "test@example.com"]);
    send.args(["--url", "http://127.0.0.1:9/webhooks/ketch"]);
    send.env_remove("NOT_SET").env("RUST_BACKTRACE", "1");
    let output = send.output().unwrap();
    assert!(!output.status.success());
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.starts_with("Error: ") && printed.contains("NOT_SET"), "{printed}");
    assert!(!printed.contains("Stack backtrace") && !printed.contains("anyhow::"), "{printed}");
}
