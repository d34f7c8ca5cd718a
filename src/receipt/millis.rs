//! A [`Timestamp`] as an integer, in milliseconds since the Unix epoch, for `#[serde(with = "…")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Timestamp;

/// Writes the milliseconds.
///
/// # Errors
/// Those of `serializer`.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.0)
}

/// Reads the milliseconds.
///
/// # Errors
/// Those of `deserializer`; what is there is not an integer of 64 bits.
pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Timestamp, D::Error> {
    i64::deserialize(deserializer).map(Timestamp)
}

/// The same for `Option<Timestamp>`: `null` where there is none.
pub mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    /// Writes the milliseconds, or `null`.
    ///
    /// # Errors
    /// Those of `serializer`.
    pub fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.0).serialize(serializer)
    }

    /// Reads the milliseconds, or `null`.
    ///
    /// # Errors
    /// Those of `deserializer`; what is there is neither an integer of 64 bits nor `null`.
    pub fn deserialize<'a, D: Deserializer<'a>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Times {
        #[serde(with = "super")]
        one: Timestamp,
        #[serde(with = "super::option")]
        other: Option<Timestamp>,
    }

    #[test]
    fn a_time_is_written_and_read_to_the_millisecond() {
        for (times, json) in [
            (Times { one: Timestamp(-7), other: None }, r#"{"one":-7,"other":null}"#),
            (
                Times { one: Timestamp(i64::MIN), other: Some(Timestamp(1_795_325_400_123)) },
                r#"{"one":-9223372036854775808,"other":1795325400123}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&times).unwrap(), json);
            assert_eq!(serde_json::from_str::<Times>(json).unwrap(), times);
        }
        assert!(serde_json::from_str::<Times>(r#"{"one":"1970","other":null}"#).is_err());
        assert!(serde_json::from_str::<Times>(r#"{"one":1.5,"other":null}"#).is_err());
    }
}
