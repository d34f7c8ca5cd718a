//! Which of an account's lanes an erasure is in.
//!
//! Jump consistent hash (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
//! 2014): when the number of shards grows, an erasure stays where it is or moves to one of the new
//! shards. So the shards that it may have been in before are few, and can be asked.

/// The maximum number of shards of an account.
pub const MAX_SHARDS: u32 = 64;

/// The shard of an erasure among `shards`, at least one. It must never change for the same arguments.
pub fn shard_of(source: &str, request_id: &str, shards: u32) -> u32 {
    moves(source, request_id, shards).last().unwrap_or_default()
}

/// The shards that an erasure may have been stored in while there were fewer: without the present
/// one.
pub fn former_shards(source: &str, request_id: &str, shards: u32) -> Vec<u32> {
    let mut all: Vec<u32> = moves(source, request_id, shards).collect();
    all.pop();
    all
}

/// Whether an erasure may be in `shard`, whatever number of shards, at most [`MAX_SHARDS`], the
/// account had.
pub fn may_be_in(source: &str, request_id: &str, shard: u32) -> bool {
    moves(source, request_id, MAX_SHARDS).any(|one| one == shard)
}

/// Every shard that an erasure is in while the number of shards grows to `shards`, in order.
fn moves(source: &str, request_id: &str, shards: u32) -> impl Iterator<Item = u32> {
    let mut key = fnv1a(source.bytes().chain([0]).chain(request_id.bytes()));
    let mut next = Some(0_i64);
    std::iter::from_fn(move || {
        let shard = next?;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let divisor = (key >> 33).saturating_add(1) as f64;
        let jump = shard.saturating_add(1) as f64 * (2_147_483_648.0 / divisor);
        next = (jump < f64::from(shards)).then_some(jump as i64);
        u32::try_from(shard).ok()
    })
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The algorithm as the paper prints it.
    fn published(mut key: u64, buckets: i64) -> i64 {
        let (mut b, mut j) = (-1_i64, 0_i64);
        while j < buckets {
            b = j;
            key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
            j = ((b + 1) as f64 * ((1_i64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
        }
        b
    }

    #[test]
    fn it_is_the_published_hash() {
        assert_eq!(fnv1a(b"foobar".iter().copied()), 0x8594_4171_f739_67e8);
        for number in 0..1000 {
            let id = format!("r-{number}");
            let key = fnv1a(format!("s\0{id}").bytes());
            for shards in [1, 2, 3, 10, 64] {
                let expected = published(key, i64::from(shards));
                assert_eq!(i64::from(shard_of("s", &id, shards)), expected, "{id} of {shards}");
            }
        }
    }

    #[test]
    fn an_erasure_was_in_a_former_shard_or_is_where_it_was() {
        for number in 0..500 {
            let id = format!("r-{number}");
            let mut before: Vec<u32> = (1..=64).map(|shards| shard_of("s", &id, shards)).collect();
            before.dedup();
            let present = before.pop().unwrap();
            assert_eq!((former_shards("s", &id, 64), shard_of("s", &id, 64)), (before, present));
        }
    }

    #[test]
    fn the_shards_have_about_the_same_number() {
        let mut counts = [0; 6];
        for number in 0..6000 {
            counts[shard_of("s", &format!("r-{number}"), 6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
