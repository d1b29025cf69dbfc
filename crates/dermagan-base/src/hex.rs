//! Bytes as hexadecimal digits, the usual form of a checksum.

/// `bytes` as lower-case hexadecimal digits, two per byte, in order.
///
/// ```rust
/// assert_eq!(dermagan_base::hex(&[0x00, 0x2a, 0xff]), "002aff");
/// ```
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn every_byte_becomes_two_lower_case_digits() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 1, 0x0f, 0x10, 0xab, 255]), "00010f10abff");
    }
}
