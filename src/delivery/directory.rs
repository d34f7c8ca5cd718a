//! The directory of the lanes that hold something. The runtime cannot list the objects of a
//! namespace, so a lane that the configuration does not name any more could not be found without it.
//!
//! A lane registers once in its life, when it holds its first row; the directory is an object of the
//! same namespace. It holds names of lanes, and nothing of an erasure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::database::{Database, Row, StorageError, Value};
use super::jurisdiction::Jurisdiction;
use super::policy::Policy;

/// The name of the directory's object. `.` is not in the names of accounts, so no lane has it.
pub const NAME: &str = ".directory";

/// Which lane: what its object is found by. It is written `eu:insider.2`: the jurisdiction, where there
/// is one, the account, and the shard, where it is not the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The account.
    pub vendor: String,
    /// Which of the account's lanes, counted from zero.
    pub shard: u32,
    /// Where it is.
    pub jurisdiction: Option<Jurisdiction>,
}

/// Why the configuration does not name a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orphaned {
    /// There is no account of its name.
    AccountUnknown,
    /// The account's lanes are in another jurisdiction.
    JurisdictionChanged,
    /// The account has fewer shards.
    ShardUnknown,
}

impl Place {
    /// Reads what `Display` writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (jurisdiction, name) = match text.split_once(':') {
            Some((jurisdiction, name)) => (Some(Jurisdiction::parse(jurisdiction)?), name),
            None => (None, text),
        };
        let (vendor, shard) = match name.split_once('.') {
            Some((vendor, shard)) => (vendor, shard.parse().ok()?),
            None => (name, 0),
        };
        Some(Self { vendor: vendor.to_owned(), shard, jurisdiction })
    }

    /// The name of the lane's object.
    pub fn object_name(&self) -> String {
        match self.shard {
            0 => self.vendor.clone(),
            shard => format!("{}.{shard}", self.vendor),
        }
    }

    /// Why an account of this policy, `None` where there is none of the lane's name, does not have
    /// the lane; `None` where it has.
    pub fn orphaned(&self, policy: Option<&Policy>) -> Option<Orphaned> {
        match policy {
            None => Some(Orphaned::AccountUnknown),
            Some(policy) if policy.jurisdiction != self.jurisdiction => {
                Some(Orphaned::JurisdictionChanged)
            }
            Some(policy) if self.shard >= policy.shards => Some(Orphaned::ShardUnknown),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(jurisdiction) = self.jurisdiction {
            formatter.write_str(jurisdiction.name())?;
            formatter.write_str(":")?;
        }
        formatter.write_str(&self.object_name())
    }
}

/// The directory.
pub struct Directory<D>(D);

impl<D: Database> Directory<D> {
    /// Opens the directory in `database`, or begins a new one.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn open(database: D) -> Result<Self, StorageError> {
        let table =
            "CREATE TABLE IF NOT EXISTS directory (lane TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID";
        database.query(table, &[])?;
        Ok(Self(database))
    }

    /// Adds a lane, as it is written.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn add(&self, lane: String) -> Result<(), StorageError> {
        let statement = "INSERT OR IGNORE INTO directory VALUES (?)";
        self.0.query(statement, &[Value::Text(lane)]).map(drop)
    }

    /// Removes a lane, as it is written.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn remove(&self, lane: String) -> Result<(), StorageError> {
        self.0.query("DELETE FROM directory WHERE lane = ?", &[Value::Text(lane)]).map(drop)
    }

    /// All lanes, as they are written.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn all(&self) -> Result<Vec<String>, StorageError> {
        let rows = self.0.query("SELECT lane FROM directory ORDER BY lane", &[])?;
        rows.iter().map(|row: &Row| Ok(row.text(0)?.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(vendor: &str, shard: u32, jurisdiction: Option<Jurisdiction>) -> Place {
        Place { vendor: vendor.to_owned(), shard, jurisdiction }
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let fedramp = Some(Jurisdiction::Fedramp);
        for (place, text, name) in [
            (place("insider", 0, None), "insider", "insider"),
            (place("a-b_9", 63, None), "a-b_9.63", "a-b_9.63"),
            (place("insider", 0, Some(Jurisdiction::Eu)), "eu:insider", "insider"),
            (place("eu", 2, fedramp), "fedramp:eu.2", "eu.2"),
        ] {
            assert_eq!((place.to_string(), place.object_name()), (text.into(), name.into()));
            assert_eq!(Place::parse(text), Some(place));
        }
        for wrong in ["mars:insider", ":insider", "insider.x", "insider.-1", "insider."] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_lane_is_orphaned_where_the_account_does_not_have_it() {
        let eu = Some(Jurisdiction::Eu);
        let policy = Policy { shards: 2, jurisdiction: eu, ..Policy::default() };
        for (shard, jurisdiction, reason) in [
            (0, eu, None),
            (1, eu, None),
            (2, eu, Some(Orphaned::ShardUnknown)),
            (0, None, Some(Orphaned::JurisdictionChanged)),
            (2, Some(Jurisdiction::Fedramp), Some(Orphaned::JurisdictionChanged)),
        ] {
            let lane = place("insider", shard, jurisdiction);
            assert_eq!(lane.orphaned(Some(&policy)), reason, "{lane}");
            assert_eq!(lane.orphaned(None), Some(Orphaned::AccountUnknown));
        }
    }
}
