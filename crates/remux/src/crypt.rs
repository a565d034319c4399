//! AES-128 in CBC mode, as HLS and Common Encryption use it.
//!
//! ```text
//! a segment        plain … | padding (PKCS #7)  ─▶ one chain        HLS method AES-128
//! a sample         clear | 16 of every 160 bytes ─▶ a chain each    mp4, scheme cbcs
//! ```
//!
//! Nothing here authenticates: both formats are made to keep those without the key from playing.
//!
//! Spec: RFC 8216 §5.2; FIPS 197; NIST SP 800-38A §6.2.

use aes::Aes128;
use bytes::{BufMut as _, Bytes, BytesMut};
use cbc::cipher::{
    Array, BlockCipherEncrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit as _,
};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16;

/// A content key. Its bytes are in no `Debug` output.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; BLOCK],
    cipher: Aes128,
}

impl Key {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; BLOCK]) -> Self {
        Self {
            bytes,
            cipher: Aes128::new(&bytes.into()),
        }
    }

    /// The key itself, for those who may have it.
    #[must_use]
    pub fn bytes(&self) -> [u8; BLOCK] {
        self.bytes
    }

    /// An initialization vector that nobody can foresee without the key, made of a number that
    /// is used once (NIST SP 800-38A, appendix C).
    #[must_use]
    pub fn iv(&self, nonce: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = nonce.into();
        self.cipher.encrypt_block(&mut block);
        block.into()
    }

    /// A whole segment, encrypted and padded (RFC 8216 §5.2). In place where nobody else holds
    /// `plain`; copied otherwise.
    #[must_use]
    pub fn seal(&self, plain: Bytes, iv: [u8; BLOCK]) -> Bytes {
        let mut out = plain
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let padding = BLOCK - out.len() % BLOCK;
        // At most 16.
        out.put_bytes(padding as u8, padding);
        self.chain(iv).encrypt(&mut out);
        out.freeze()
    }

    /// A new chain of blocks.
    pub(crate) fn chain(&self, iv: [u8; BLOCK]) -> Chain {
        Chain(cbc::Encryptor::inner_iv_init(
            self.cipher.clone(),
            &iv.into(),
        ))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Blocks that depend on those before.
pub(crate) struct Chain(cbc::Encryptor<Aes128>);

impl Chain {
    /// Encrypts the whole blocks of `bytes`; what is left at the end stays as it is.
    pub(crate) fn encrypt(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        self.0.encrypt_blocks(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(hex: &str) -> [u8; 16] {
        let byte = |i| u8::from_str_radix(hex.get(2 * i..2 * i + 2).unwrap_or(""), 16);
        std::array::from_fn(|i| byte(i).unwrap_or(0))
    }

    /// NIST SP 800-38A, F.2.1.
    #[test]
    fn the_standards_vectors() {
        let key = Key::new(array("2b7e151628aed2a6abf7158809cf4f3c"));
        let iv = array("000102030405060708090a0b0c0d0e0f");
        let plain = [
            array("6bc1bee22e409f96e93d7e117393172a"),
            array("ae2d8a571e03ac9c9eb76fac45af8e51"),
        ]
        .concat();
        let want = [
            array("7649abac8119b246cee98e9b12e9197d"),
            array("5086cb9b507219ee95db113a917678b2"),
        ]
        .concat();
        let sealed = key.seal(plain.clone().into(), iv);
        assert_eq!(sealed.len(), 48, "a whole block of padding");
        assert_eq!(sealed.get(..32), Some(&want[..]));
        let mut some = [&plain[..], b"rest"].concat();
        key.chain(iv).encrypt(&mut some);
        assert_eq!(some, [&want[..], b"rest"].concat());
        // FIPS 197, appendix B.
        assert_eq!(
            key.iv(array("3243f6a8885a308d313198a2e0370734")),
            array("3925841d02dc09fbdc118597196a0b32")
        );
    }

    #[test]
    fn a_shared_body_is_not_touched_and_keys_are_not_shown() {
        let key = Key::new([7; 16]);
        let plain = Bytes::from(vec![1; 33]);
        let sealed = key.seal(plain.clone(), [0; 16]);
        assert_eq!((plain.len(), sealed.len()), (33, 48));
        assert!(plain.iter().all(|&byte| byte == 1));
        assert_eq!(key.seal(plain, [0; 16]), sealed, "and in place the same");
        assert_eq!(format!("{key:?}"), "Key(..)");
    }
}
