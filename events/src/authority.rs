//! Who vouches for the broker: certificates in PEM (RFC 7468), which travel in the bundle and never carry a key.

/// Most that a file of certificates may have, in bytes.
pub const AUTHORITY_BYTES_MAX: usize = 32 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Why a text does not count as certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityFault {
    /// Longer than [`AUTHORITY_BYTES_MAX`].
    #[error("more than 32 KiB of certificates")]
    TooLong,
    /// Somebody put the key beside the certificate. It stays where it is.
    #[error("a private key is among the certificates")]
    PrivateKey,
    /// None in it, or one without its end, or something that is not base64.
    #[error("no certificate in PEM")]
    NoCertificate,
}

/// The certificates of a text, one after the other, without whatever stands between them. What is inside
/// is for TLS to judge.
pub fn certificates(text: &str) -> Result<String, AuthorityFault> {
    if text.len() > AUTHORITY_BYTES_MAX {
        return Err(AuthorityFault::TooLong);
    }
    if text.contains("PRIVATE KEY") {
        return Err(AuthorityFault::PrivateKey);
    }
    let (mut found, mut inside) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        match line {
            BEGIN if !inside => inside = true,
            END if inside => inside = false,
            _ if inside && is_base64(line) => {}
            _ if inside => return Err(AuthorityFault::NoCertificate),
            _ => continue,
        }
        found.push_str(line);
        found.push('\n');
    }
    if inside || found.is_empty() { Err(AuthorityFault::NoCertificate) } else { Ok(found) }
}

fn is_base64(line: &str) -> bool {
    line.bytes().all(|it| it.is_ascii_alphanumeric() || b"+/=".contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_certificates_are_taken_and_never_a_key() {
        let one = format!("{BEGIN}\nTUlJ\nQg==\n{END}\n");
        let noted = format!("\u{feff}Subject: CN = 部里\r\n{one}# and the next\r\n{one}");
        assert_eq!(certificates(&one).as_deref(), Ok(one.as_str()));
        assert_eq!(certificates(&noted), Ok(format!("{one}{one}")));
        let key = "-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n";
        for (text, fault) in [
            (String::new(), AuthorityFault::NoCertificate),
            (format!("{BEGIN}\nTUlJ\n"), AuthorityFault::NoCertificate),
            (format!("{BEGIN}\n\"; urls = [\n{END}\n"), AuthorityFault::NoCertificate),
            (format!("{BEGIN}\n{BEGIN}\n{END}\n"), AuthorityFault::NoCertificate),
            (format!("{one}{key}"), AuthorityFault::PrivateKey),
            (one.repeat(1_000), AuthorityFault::TooLong),
        ] {
            assert_eq!(certificates(&text), Err(fault), "{}", text.len());
        }
    }
}
