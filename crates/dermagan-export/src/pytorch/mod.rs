//! A Python file with the generators as a PyTorch module.

use std::path::Path;

use crate::seal::{is_sealed, sealed};

/// The module. It is the one definition of the generators in PyTorch: `scripts/load_generator.py` imports it too.
const MODULE: &str = include_str!("generator.py");

/// The bytes of a Python file that loads every generator's file of dermagan into an `nn.Module`. It needs nothing but
/// PyTorch and safetensors.
pub fn pytorch_module() -> Vec<u8> {
    sealed(&format!("{MODULE}\n"), "# ", "").into_bytes()
}

/// Whether a file is such a module, of any version and not edited since, or is empty. False if it cannot be read.
pub fn is_own_module(file: &Path) -> bool {
    // Reading a pipe would wait for ever.
    file.is_file() && std::fs::read(file).is_ok_and(|bytes| bytes.is_empty() || is_sealed(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_module_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("generator.py");
        assert!(!is_own_module(&file));
        std::fs::write(&file, pytorch_module()).unwrap();
        assert!(is_own_module(&file));
        std::fs::write(&file, [&pytorch_module()[..], b"print(1)\n"].concat()).unwrap();
        assert!(!is_own_module(&file));
    }
}
