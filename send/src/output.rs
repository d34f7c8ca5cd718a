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

/// How a program ends that had this result: the error is printed, and a closed output is none.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Err(error) if !error.is::<Closed>() => {
            // There may be no reader of errors either.
            let _ = writeln!(io::stderr(), "Error: {error:?}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
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
    fn a_reset_connection_to_a_server_is_a_failure() {
        let broken = anyhow::Error::from(io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(exit_code(Err(broken.context("no answer"))), ExitCode::FAILURE);
    }
}
