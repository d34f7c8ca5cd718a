//! Reads over what nobody wants to know, as strictly as over the rest. Most of a long text is that, so
//! here speed comes first: nothing is kept, and few functions are called.

use super::any_twice;
use super::read::{ALL, Reader, plain_bytes};

impl<'a> Reader<'a> {
    /// Reads over one value. `keys` has those of the objects around it.
    pub(super) fn pass_over(&mut self, depth: u8, keys: &mut Vec<&'a str>) -> Option<()> {
        match self.token()? {
            b'"' => self.pass_string().map(drop),
            b'{' => self.pass_object(depth.checked_sub(1)?, keys),
            b'[' => self.pass_array(depth.checked_sub(1)?, keys),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            _ => self.digits_and_signs().map(drop),
        }
    }

    fn pass_array(&mut self, depth: u8, keys: &mut Vec<&'a str>) -> Option<()> {
        self.skip(1);
        let mut more = self.token()? != b']';
        while more {
            self.pass_over(depth, keys)?;
            more = self.comma(b']')?;
        }
        self.skip(1);
        Some(())
    }

    fn pass_object(&mut self, depth: u8, keys: &mut Vec<&'a str>) -> Option<()> {
        let (start, first) = (self.at, keys.len());
        let (mut all_plain, mut alike, mut seen) = (true, false, 0_u64);
        self.skip(1);
        let mut more = self.token()? != b'}';
        while more {
            self.expect(b'"')?;
            let (key, plain) = self.pass_string()?;
            keys.push(key);
            all_plain &= plain;
            let bit = bit_of(key);
            alike |= seen & bit != 0;
            seen |= bit;
            self.expect(b':')?;
            self.skip(1);
            match self.token()? {
                b'"' => self.pass_string().map(drop)?,
                _ => self.pass_over(depth, keys)?,
            }
            more = self.comma(b'}')?;
        }
        self.skip(1);
        if !all_plain {
            // Two ways to write one key: they must be decoded.
            self.at = start;
            self.object(depth, ALL)?;
        } else if alike && any_twice(keys.get(first..)?) {
            return None;
        }
        keys.truncate(first);
        Some(())
    }

    /// The string as it is written, and whether that is what it says.
    #[inline(always)]
    fn pass_string(&mut self) -> Option<(&'a str, bool)> {
        self.skip(1);
        let (start, mut plain) = (self.at, true);
        let bytes = self.text.as_bytes();
        loop {
            while let Some(word) = bytes.get(self.at..)?.first_chunk() {
                let more = plain_bytes(u64::from_le_bytes(*word));
                self.skip(more);
                if more < 8 {
                    break;
                }
            }
            match bytes.get(self.at)? {
                b'"' => {
                    let text = self.text.get(start..self.at)?;
                    self.skip(1);
                    return Some((text, plain));
                }
                b'\\' => {
                    plain = false;
                    self.skip(1);
                    self.escaped()?;
                }
                ..b' ' => return None,
                _ => self.skip(1), // one of the last seven bytes of the text
            }
        }
    }

    /// Whether a comma is next, which is read over, and not `close`.
    #[inline(always)]
    fn comma(&mut self, close: u8) -> Option<bool> {
        match self.token()? {
            b',' => {
                self.skip(1);
                Some(true)
            }
            byte => (byte == close).then_some(false),
        }
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.token()? == byte).then_some(())
    }

    /// The next byte that is not blank.
    #[inline(always)]
    fn token(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.skip(1),
                byte => return Some(*byte),
            }
        }
    }
}

/// One of 64 bits, the same for keys that are the same.
#[inline(always)]
fn bit_of(key: &str) -> u64 {
    let first = key.bytes().next().unwrap_or_default();
    1_u64.rotate_left(u32::from(first).wrapping_add((key.len() as u32).wrapping_mul(11)))
}
