//! The receipts of a period as a file, some at a time.

use std::rc::Rc;

use super::walk::Walk;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::export::{Query, Writer};
use crate::problem::Problem;

/// A file that is being written.
pub struct Export {
    environment: Rc<Environment>,
    walk: Walk,
    writer: Writer,
    /// What is written and not handed out; `None` after the end.
    text: Option<String>,
}

impl Export {
    /// Begins a file.
    ///
    /// # Errors
    /// As [`Walk::begin`].
    pub async fn begin(
        environment: &Rc<Environment>,
        lanes: &Lanes,
        query: &Query,
    ) -> Result<Self, Problem> {
        let walk = Walk::begin(environment, lanes, query.source.clone(), query.period).await?;
        let writer = Writer::new(query.format);
        let text = Some(writer.begin());
        Ok(Self { environment: environment.clone(), walk, writer, text })
    }

    /// The next part of the file; `None` after its end.
    ///
    /// # Errors
    /// As [`Walk::next`]: then the file is not complete.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let Some(mut text) = self.text.take() else { return Ok(None) };
        match self.walk.next().await? {
            Some(erasures) => {
                let receipts = erasures.into_iter().map(|erasure| erasure.receipt).collect();
                let names = self.environment.keys.pseudonyms.as_ref();
                text.push_str(&self.writer.write(receipts, names).ok_or(Problem::Internal)?);
                self.text = Some(String::new());
            }
            None => text.push_str(&self.writer.end().ok_or(Problem::Internal)?),
        }
        Ok(Some(text.into_bytes()))
    }
}
