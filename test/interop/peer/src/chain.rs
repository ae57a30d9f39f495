//! The chain's rule for a seal, on its published hash.

use primitive_types::U512;

/// The hash of a header and a nonce, read as a big-endian number.
pub fn nonce_hash(header: &[u8; 32], nonce: &[u8; 64]) -> U512 {
    let mut input = [0; 96];
    input[..32].copy_from_slice(header);
    input[32..].copy_from_slice(nonce);
    U512::from_big_endian(&qp_poseidon_core::hash_squeeze_twice(&input))
}

/// Whether the hash is below (2^512 - 1) / difficulty. The difficulty is at least 1.
pub fn is_seal(header: &[u8; 32], nonce: &[u8; 64], difficulty: U512) -> bool {
    nonce_hash(header, nonce) < U512::MAX / difficulty
}

/// Bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
