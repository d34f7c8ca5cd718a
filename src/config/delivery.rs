//! How erasures are delivered: the variable `DELIVERY`.

use crate::json::Json;
use crate::settings::{Misconfiguration, shown};

/// How erasures are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Stored in lanes, which send until it is done.
    Durable,
    /// Sent while the platform waits; nothing is stored.
    Direct,
}

impl Delivery {
    /// The name of the variable.
    pub const VARIABLE: &str = "DELIVERY";

    /// Reads the variable; `has_lanes` says whether the Durable Objects are bound as `LANES`.
    ///
    /// # Errors
    /// Where it is not set, or says durable without the binding: what the sender is told would
    /// otherwise depend on a binding that may be missing by mistake.
    pub fn read(variable: Option<&str>, has_lanes: bool) -> Result<Self, Misconfiguration> {
        let problem = |message: &str| Err(Misconfiguration::new(Self::VARIABLE, message));
        match variable {
            Some("durable") if has_lanes => Ok(Self::Durable),
            Some("direct") => Ok(Self::Direct),
            Some("durable") => problem(
                "\"durable\" needs the Durable Object binding LANES, which is missing: in \
                 wrangler.toml, bind the class Lane in [[durable_objects.bindings]]",
            ),
            None => problem(
                "must be set: \"durable\" (stored, and sent until it is done) or \"direct\" (nothing \
                 is stored)",
            ),
            Some(other) => {
                let found = shown(&Json::Text(other.into())).unwrap_or_default();
                problem(&format!("must be one of: durable, direct{found}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durable_delivery_needs_its_lanes_and_direct_delivery_its_word() {
        let read = |variable, has_lanes| {
            Delivery::read(variable, has_lanes).map_err(|problem| problem.to_string())
        };
        assert_eq!(read(Some("durable"), true), Ok(Delivery::Durable));
        for has_lanes in [true, false] {
            assert_eq!(read(Some("direct"), has_lanes), Ok(Delivery::Direct));
            let unset = read(None, has_lanes).unwrap_err();
            assert!(unset.starts_with("DELIVERY: must be set: \"durable\" "), "{unset}");
            assert_eq!(
                read(Some("Durable"), has_lanes).unwrap_err(),
                "DELIVERY: must be one of: durable, direct, not \"Durable\""
            );
        }
        let unbound = read(Some("durable"), false).unwrap_err();
        assert!(unbound.contains("needs the Durable Object binding LANES"), "{unbound}");
    }
}
