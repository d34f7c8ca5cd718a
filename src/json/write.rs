//! Writes JSON arrays for `delivery::wire`. Temporary: it goes with that module's own writing.

use std::fmt::Write;

/// A JSON array that is being written, value by value.
pub struct Array(String);

impl Array {
    /// The array that `fill` writes.
    pub fn write(fill: impl FnOnce(&mut Self)) -> String {
        let mut array = Self(String::with_capacity(512));
        array.array(fill);
        array.0
    }

    /// `null`
    pub fn null(&mut self) -> &mut Self {
        self.next().push_str("null");
        self
    }

    /// An integer.
    pub fn integer(&mut self, number: impl Into<i64>) -> &mut Self {
        // Writing into memory cannot fail.
        let _ = write!(self.next(), "{}", number.into());
        self
    }

    /// An integer, or `null`.
    pub fn optional_integer(&mut self, number: Option<impl Into<i64>>) -> &mut Self {
        match number {
            Some(number) => self.integer(number),
            None => self.null(),
        }
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        push_quoted(self.next(), text);
        self
    }

    /// A string, or `null`.
    pub fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// The array that `fill` writes.
    pub fn array(&mut self, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.next().push('[');
        fill(self);
        self.0.push(']');
        self
    }

    /// An array of arrays, one for each of `items`, as `fill` writes it.
    pub fn arrays<T>(&mut self, items: &[T], fill: impl Fn(&mut Self, &T)) -> &mut Self {
        self.array(|array| array.each(items, fill))
    }

    /// Arrays, one for each of `items`, as `fill` writes it.
    pub fn each<T>(&mut self, items: &[T], fill: impl Fn(&mut Self, &T)) {
        for item in items {
            self.array(|array| fill(array, item));
        }
    }

    /// Where the next value is written.
    fn next(&mut self) -> &mut String {
        if !matches!(self.0.as_bytes().last(), None | Some(b'[')) {
            self.0.push(',');
        }
        &mut self.0
    }
}

fn push_quoted(json: &mut String, text: &str) {
    json.push_str(&super::to_string(&text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_arrays_in_arrays() {
        let text = Array::write(|array| {
            array.array(|_| {}).text("[").null().integer(-7_i64).optional_text(None);
            array.arrays(&[1, 2], |array, one| {
                array.optional_integer(Some(*one)).optional_integer(None::<i64>);
            });
        });
        assert_eq!(text, r#"[[],"[",null,-7,null,[[1,null],[2,null]]]"#);
        assert_eq!(Array::write(|_| {}), "[]");
    }
}
