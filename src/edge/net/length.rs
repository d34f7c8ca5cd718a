//! `Content-Length` (RFC 9110, 8.6).

/// What a header `Content-Length` announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many bytes; what does not fit is [`u64::MAX`], which is over any limit.
    Bytes(u64),
    /// The value is not a number, or several numbers that differ.
    Malformed,
}

impl Length {
    /// Reads a value. A list of equal numbers, which several equal headers are joined to, is one.
    pub fn parse(value: &str) -> Self {
        let mut announced = None;
        for part in value.split(',') {
            let digits = part.trim_matches([' ', '\t']);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Length::Malformed;
            }
            let bytes = digits.parse().unwrap_or(u64::MAX);
            if announced.is_some_and(|other| other != bytes) {
                return Length::Malformed;
            }
            announced = Some(bytes);
        }
        announced.map_or(Length::Malformed, Length::Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_any_size_is_a_number() {
        for (value, bytes) in [
            ("0", 0),
            ("007", 7),
            (" 7\t", 7),
            ("4294967295", 4_294_967_295),
            ("4294967296", 4_294_967_296),
            ("4294967299", 4_294_967_299),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("99999999999999999999999999", u64::MAX),
            ("5, 5", 5),
            ("5,05 , 5", 5),
        ] {
            assert_eq!(Length::parse(value), Length::Bytes(bytes), "{value:?}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for value in
            ["", " ", "-1", "+1", "1.0", "1e3", "0x10", "five", "5 5", "5, 6", "5,", ",5", "٣"]
        {
            assert_eq!(Length::parse(value), Length::Malformed, "{value:?}");
        }
    }
}
