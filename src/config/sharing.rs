//! One secret for each source: a message that is signed for one source must not be accepted by
//! another, which may ask other vendors or read other identifiers.

use super::Source;
use crate::settings::Misconfiguration;

/// Every secret of one source that is also a secret of another, unless both set
/// `shared_secrets = "accept"`. `same` compares two secrets by their names.
pub fn shared_secrets(
    sources: &[Source],
    same: &dyn Fn(&str, &str) -> bool,
) -> Vec<Misconfiguration> {
    let mut problems = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for other in sources.iter().take(index) {
            if source.shared_secrets && other.shared_secrets {
                continue;
            }
            for (path, name) in source.secrets() {
                if let Some((_, shared)) = other.secrets().find(|(_, other)| same(name, other)) {
                    let message = format_args!(
                        "the secret {name} is also {shared} of the source {}, so each would accept \
                         the messages of the other: use two secrets, or set shared_secrets = \
                         \"accept\" on both",
                        other.name
                    );
                    problems.push(Misconfiguration::new(&path, message));
                }
            }
        }
    }
    problems
}
