//! What the commands print. A reader that closes the pipe early, as `| head` does, is no fault.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Result;

/// Standard output was closed by its reader.
#[derive(Debug)]
pub struct Closed;

impl Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("standard output was closed")
    }
}

impl Error for Closed {}

/// Prints a line on standard output.
///
/// # Errors
/// [`Closed`], or why it cannot be written.
pub fn line(text: impl Display) -> Result<()> {
    write_line(&mut io::stdout().lock(), text)
}

fn write_line(to: &mut impl Write, text: impl Display) -> Result<()> {
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => Ok(written?),
    }
}

/// How a program ends that had this result: the error is printed with its causes, and a closed output
/// is none. There is no backtrace, whatever RUST_BACKTRACE says: it would bury the message, and only a
/// panic is a defect of the program.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Err(error) if !error.is::<Closed>() => {
            // There may be no reader of errors either.
            let _ = writeln!(io::stderr(), "Error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// An error and its causes, the outermost first, one to a line.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for (index, cause) in error.chain().skip(1).enumerate() {
        text.push_str(if index == 0 { "\n\nCaused by:\n    " } else { "\n    " });
        text.push_str(&cause.to_string().replace('\n', "\n    "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_output_is_no_failure_and_a_full_disk_is() {
        let closed = write_line(&mut Failing(ErrorKind::BrokenPipe), "a line");
        assert!(closed.as_ref().is_err_and(|error| error.is::<Closed>()));
        assert_eq!(exit_code(closed), ExitCode::SUCCESS);
        let full = write_line(&mut Failing(ErrorKind::StorageFull), "a line");
        assert!(full.as_ref().is_err_and(|error| !error.is::<Closed>()));
        assert_eq!(exit_code(full), ExitCode::FAILURE);
    }

    #[test]
    fn an_error_is_printed_with_its_causes() {
        let error = anyhow::anyhow!("a: 1\nb: 2").context("not right").context("not sent");
        let expected = "not sent\n\nCaused by:\n    not right\n    a: 1\n    b: 2";
        assert_eq!(with_causes(&error), expected);
    }

    #[test]
    fn a_reset_connection_to_a_server_is_a_failure() {
        let broken = anyhow::Error::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(exit_code(Err(broken.context("no answer"))), ExitCode::FAILURE);
    }
}
