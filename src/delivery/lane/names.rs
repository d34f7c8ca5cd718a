//! The identifiers of a person whom one call reaches: each is tried once, whichever webhook brought it.

use super::ledger::Erasure;
use super::{Lane, Result, place};
use crate::delivery::database::{Database, Row};
use crate::erasure::Identifier;
use crate::pseudonym::Pseudonym;
use crate::vendor::Call;

impl<D: Database> Lane<D> {
    /// What of a call must be stored as a row of its own, with its pseudonyms; `None` where that is
    /// nothing.
    ///
    /// A call that reaches a person tries the identifiers one after the other, each of them once,
    /// whichever webhook brought it. Further ones go to a row that still waits; what is under way or
    /// has ended stays as it is.
    pub(super) fn new_names(
        &mut self,
        erasure: Erasure<'_>,
        call: Call,
        names: Vec<Pseudonym>,
    ) -> Result<Option<(Call, Vec<Pseudonym>)>> {
        const KNOWN: &str = "SELECT slot, names, person, due_at IS NOT NULL, call FROM delivery
            WHERE source = ? AND request_id = ? AND call IS NOT NULL";
        let reaches_person = self.reaches_person(call.name);
        let is_rotated = names.iter().any(|name| name.stored_before.is_some());
        if !reaches_person && !is_rotated {
            return Ok(Some((call, names))); // the primary key tells whether it is known
        }
        let Erasure { source, request_id, .. } = erasure;
        let known = self.database.query(KNOWN, &[source.into(), request_id.into()])?;
        let Call { name, identifier, alternatives } = call;
        let mut new = Vec::new();
        for (identifier, pseudonym) in std::iter::once(identifier).chain(alternatives).zip(names) {
            let mut is_known = false;
            for row in &known {
                // A row may make another call by now, in the place of the one that it is named after.
                let (call, stored) = row.text(0)?.split_once(':').unwrap_or_default();
                is_known |= call == name && pseudonym.is(stored);
                let names = row.optional_text(1)?.unwrap_or_default();
                is_known |= row.text(4)? == name && names.split(' ').any(|it| pseudonym.is(it));
            }
            if !is_known {
                new.push((identifier, pseudonym));
            }
        }
        for row in &known {
            let takes_names = reaches_person && row.integer(3)? == 1 && row.text(4)? == name;
            if takes_names && !new.is_empty() && self.add_names(erasure, name, row, &new)? {
                new.clear();
            }
        }
        let mut new = new.into_iter();
        let Some((identifier, subject)) = new.next() else { return Ok(None) };
        let (alternatives, others): (_, Vec<_>) = new.unzip();
        let names = std::iter::once(subject).chain(others).collect();
        Ok(Some((Call { name, identifier, alternatives }, names)))
    }

    /// Adds further identifiers to a row that waits; `false` where its own cannot be opened.
    fn add_names(
        &mut self,
        erasure: Erasure<'_>,
        name: &'static str,
        row: &Row,
        new: &[(Identifier, Pseudonym)],
    ) -> Result<bool> {
        const STATEMENT: &str = "UPDATE delivery SET names = ?, person = ?
            WHERE source = ? AND request_id = ? AND slot = ?";
        let Erasure { source, request_id, .. } = erasure;
        let slot = row.text(0)?;
        let place = place(source, request_id, slot);
        let opened = row.optional_text(2)?.map(|sealed| self.seal.open(sealed, &place));
        let Some(Ok((identifier, alternatives))) = opened else { return Ok(false) };
        let mut call = Call { name, identifier, alternatives };
        call.add_names(new.iter().map(|(identifier, _)| identifier.clone()));
        let mut names = row.optional_text(1)?.unwrap_or_default().to_owned();
        for (_, pseudonym) in new {
            names.push(' ');
            names.push_str(&pseudonym.stored);
        }
        let bindings = [
            names.into(),
            self.seal(&call, &place)?.into(),
            source.into(),
            request_id.into(),
            slot.into(),
        ];
        self.database.query(STATEMENT, &bindings)?;
        Ok(true)
    }
}
