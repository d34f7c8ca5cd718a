//! Which parts of a JSON text are read.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A set of JSON Pointers (RFC 6901): the parts of a text that a reader looks into.
///
/// Values on the way to a pointer's end are read as far as they lead there, and the value at its end
/// is read whole. In what is read, an object that has a duplicate key is rejected. Everything else is
/// skipped: it must be JSON in form, but may repeat keys.
#[derive(Debug, Default)]
pub struct Pointers(pub(super) Node);

/// What is read of one value.
#[derive(Debug)]
pub(super) enum Node {
    /// All of it.
    Whole,
    /// Members of an object by their keys, or items of an array by their indexes.
    Parts(BTreeMap<String, Node>),
}

impl Default for Node {
    fn default() -> Self {
        Node::Parts(BTreeMap::new())
    }
}

impl Pointers {
    /// Adds a pointer whose value is read whole.
    pub fn add(&mut self, pointer: &str) {
        *self.0.descend(pointer) = Node::Whole;
    }

    /// Adds a pointer of which only matters whether there is a value, and of which type. An object
    /// or an array there is read as empty, unless other pointers lead into it.
    pub fn add_presence(&mut self, pointer: &str) {
        self.0.descend(pointer);
    }

    /// Adds the member `key` (not escaped) of the object at `pointer`, to be read whole.
    pub fn add_member(&mut self, pointer: &str, key: &str) {
        if let Node::Parts(parts) = self.0.descend(pointer) {
            parts.insert(key.to_owned(), Node::Whole);
        }
    }
}

impl<'a> FromIterator<&'a str> for Pointers {
    /// Pointers whose values are read whole.
    fn from_iter<I: IntoIterator<Item = &'a str>>(pointers: I) -> Self {
        let mut all = Self::default();
        for pointer in pointers {
            all.add(pointer);
        }
        all
    }
}

impl Node {
    /// The node at the end of `pointer`, or the one on the way that has the whole value already.
    fn descend(&mut self, pointer: &str) -> &mut Self {
        let mut here = self;
        for key in pointer.split('/').skip(1) {
            match here {
                Node::Whole => return here,
                Node::Parts(parts) => {
                    here = parts.entry(unescape(key).into_owned()).or_default();
                }
            }
        }
        here
    }

    /// What is read of the member `key`, if anything is.
    pub(super) fn member(&self, key: &str) -> Option<&Self> {
        match self {
            Node::Whole => Some(self),
            Node::Parts(parts) => parts.get(key),
        }
    }
}

/// A step of a pointer as a key: `~1` stands for a slash, `~0` for a tilde.
pub(super) fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(step)
    }
}

/// A step of a pointer as an index of an array: decimal digits without a leading zero.
pub(super) fn item_index(step: &str) -> Option<usize> {
    let digits = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (step == "0" || !step.starts_with('0'));
    canonical.then(|| step.parse().unwrap_or(usize::MAX))
}
