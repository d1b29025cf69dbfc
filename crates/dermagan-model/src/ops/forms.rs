//! The forms of the convolutions on GPUs: which one is requested, and which ones were found wrong.

#[cfg(feature = "cube")]
use super::gpu::choice;

/// Checks the environment variable `DERMAGAN_CONV`, which names the form of convolutions on GPUs.
///
/// # Errors
/// When it names no form; the message lists the forms.
pub fn requested_form() -> Result<(), String> {
    #[cfg(feature = "cube")]
    if let Ok(name) = std::env::var(choice::FORCE)
        && !choice::FORMS.contains(&name.as_str())
    {
        let (variable, forms) = (choice::FORCE, choice::FORMS.join(", "));
        return Err(format!("{variable}={name}: expected one of {forms}"));
    }
    Ok(())
}

/// The forms of operations that a GPU of this process computed wrongly, in words. They are not
/// used. Empty without GPU support.
pub fn wrong_forms() -> Vec<String> {
    #[cfg(feature = "cube")]
    return choice::wrong_forms().iter().map(ToString::to_string).collect();
    #[cfg(not(feature = "cube"))]
    Vec::new()
}
