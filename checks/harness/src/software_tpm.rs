//! A software TPM for scripts that run inside of a root.

/// `bash with-tpm.sh STATE SCRIPT`: does the script (bash) beside swtpm, whose state is in the folder `STATE`; the script has the words that are
/// defined there, and `$TCTI` names the TPM. A caller writes the file to the folder in which the script runs.
pub const WITH_TPM: &str = include_str!("with-tpm.sh");
