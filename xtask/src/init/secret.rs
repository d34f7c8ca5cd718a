//! A secret of the deployed Worker.

use super::recipe::Form;

/// A secret of the deployed Worker.
pub struct Secret {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub origin: Origin,
}

/// Where a secret's value comes from.
pub enum Origin {
    /// It is made here, in this form; and what to do with it.
    Made(Form, String),
    /// Somebody else shows it.
    Elsewhere(&'static str),
}

impl Origin {
    /// What to do with it, or where to find it.
    pub fn explanation(&self) -> &str {
        match self {
            Origin::Made(_, keep) => keep,
            Origin::Elsewhere(place) => place,
        }
    }
}
