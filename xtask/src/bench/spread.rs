//! The middle of some values, and how far they are spread.

use std::fmt;

use serde_json::{Value, json};

/// Median and quartiles, interpolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
    /// How many values there are.
    pub count: usize,
}

impl Spread {
    /// `None` where there are no values.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
            low + (high - low) * place.fract()
        };
        Some(Self { lower: at(0.25), median: at(0.5), upper: at(0.75), count: values.len() })
    }

    /// Whether the quartiles include `value`: the values do not tell the median from it.
    pub fn includes(&self, value: f64) -> bool {
        (self.lower..=self.upper).contains(&value)
    }

    /// The lower quartile, the median and the upper quartile.
    pub fn json(&self) -> Value {
        json!([round(self.lower), round(self.median), round(self.upper)])
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median.abs() < 10.0 { 2 } else { 0 };
        let Self { lower, median, upper, .. } = self;
        write!(f, "{median:.digits$} [{lower:.digits$}–{upper:.digits$}]")
    }
}

/// To a hundredth.
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some(Spread { lower: 3.0, median: 3.0, upper: 3.0, count: 1 }));
        let four = Spread { lower: 1.75, median: 2.5, upper: 3.25, count: 4 };
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]), Some(four));
        assert!(four.includes(2.0) && !four.includes(1.0));
    }
}
