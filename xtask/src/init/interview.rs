//! Answers: from the command line, or asked for at a terminal.

use std::io::{BufRead, Write};

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::options::word;

/// Collects the answers, and the options of those that are missing.
pub struct Interview<Input, Output> {
    /// `None` where nobody can be asked.
    input: Option<Input>,
    output: Output,
    problems: Vec<String>,
}

/// One question.
pub struct Question<'a> {
    /// The option that answers it, such as `--partner-name`.
    pub option: &'a str,
    /// What is asked.
    pub text: &'a str,
    /// What an empty answer means; without it an answer is needed.
    pub default: Option<&'a str>,
}

impl<Input: BufRead, Output: Write> Interview<Input, Output> {
    /// Asks at `input`, where somebody is there.
    pub fn new(input: Option<Input>, output: Output) -> Self {
        Self { input, output, problems: Vec::new() }
    }

    /// Whether somebody can be asked.
    pub fn is_open(&self) -> bool {
        self.input.is_some()
    }

    /// Adds what is wrong with an answer that was given.
    pub fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The text `given`, or else what is answered; `None` where it is missing, which is then reported
    /// by [`conclude`](Self::conclude). `check` says what a right answer must be.
    ///
    /// # Errors
    /// Where the terminal is closed.
    pub fn text(
        &mut self,
        given: Option<&str>,
        question: &Question<'_>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Option<String>> {
        let Question { option, text, default } = *question;
        if let Some(given) = given {
            match check(given) {
                Ok(()) => return Ok(Some(given.to_owned())),
                Err(must) => self.problems.push(format!("{option}: {must}")),
            }
            return Ok(None);
        }
        if self.input.is_none() {
            if default.is_none() {
                self.problems.push(format!("{option}: must be given ({text})"));
            }
            return Ok(default.map(str::to_owned));
        }
        loop {
            let hint = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            write!(self.output, "{text}{hint}: ")?;
            self.output.flush()?;
            let answer = self.line()?;
            let answer = if answer.is_empty() { default.unwrap_or_default() } else { &answer };
            match check(answer) {
                Ok(()) => return Ok(Some(answer.to_owned())),
                Err(must) => writeln!(self.output, "  {must}")?,
            }
        }
    }

    /// One of a choice's words, as [`text`](Self::text).
    ///
    /// # Errors
    /// Where the terminal is closed.
    pub fn choice<T: ValueEnum>(
        &mut self,
        given: Option<T>,
        question: &Question<'_>,
    ) -> Result<Option<T>> {
        let words: Vec<String> = T::value_variants().iter().map(|one| word(one.clone())).collect();
        let must = format!("must be one of: {}", words.join(", "));
        let check = |answer: &str| T::from_str(answer, false).map(drop).map_err(|_| must.clone());
        let text = format!("{} ({})", question.text, words.join(", "));
        let given = given.map(word);
        let answer = self.text(given.as_deref(), &Question { text: &text, ..*question }, check)?;
        Ok(answer.and_then(|answer| T::from_str(&answer, false).ok()))
    }

    /// Fails where an answer is missing or wrong.
    ///
    /// # Errors
    /// All of them, by their options.
    pub fn conclude(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        bail!("nothing was written:\n  {}", self.problems.join("\n  "));
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.input.as_mut().map(|input| input.read_line(&mut line)).transpose()?;
        if read.unwrap_or_default() == 0 {
            bail!("the input ended before every question was answered; nothing was written");
        }
        Ok(line.trim().to_owned())
    }
}

/// Any answer that is not empty and can be seen.
pub fn visible(answer: &str) -> Result<(), String> {
    let fits = !answer.is_empty() && !answer.chars().any(char::is_control);
    if fits { Ok(()) } else { Err("must not be empty".to_owned()) }
}
