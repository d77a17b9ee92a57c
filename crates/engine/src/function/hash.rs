//! Digests.

use std::fmt::Write as _;

use sha2::{Digest, Sha256, Sha512};

use super::call::{Answer, Call, Complaint, quoted};

/// The digest of the text of a value.
pub(super) fn hash_bytes(call: &Call<'_>) -> Answer<String> {
    let value = super::string::shown(call, 1);
    let bytes = match call.text(0).to_ascii_uppercase().as_str() {
        "MD5" => md5::Md5::digest(value).to_vec(),
        "SHA" | "SHA1" => sha1::Sha1::digest(value).to_vec(),
        "SHA2_256" | "SHA256" => Sha256::digest(value).to_vec(),
        "SHA2_512" | "SHA512" => Sha512::digest(value).to_vec(),
        _ => {
            return Err(
                Complaint::new(format!("{} is no algorithm", quoted(call.text(0))))
                    .with_hint("take one of MD5, SHA1, SHA2_256, SHA2_512"),
            );
        }
    };
    let mut text = "0x".to_owned();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    Ok(Some(text))
}
