//! What people can do about a failure.

use super::Error;

impl Error {
    /// What the person who reads this can do.
    pub fn help(&self) -> &str {
        match self {
            Self::Open { .. } => {
                "check that the path is spelt right and that the file is there and readable"
            }
            Self::InputChanged { .. } => {
                "let whatever writes it finish, then try again; nothing was written"
            }
            Self::Text { .. } => "correct the text, or name another file",
            Self::Pe { .. } => {
                "name a PE file: a systemd stub, a systemd-boot loader or a kernel with an EFI stub"
            }
            Self::Uki { .. } => "correct the named part; nothing was written",
            Self::WriteImage { .. } | Self::Write { .. } => {
                "check that the output's folder exists, is writable and has space; what stood there before is unchanged"
            }
            Self::Exists { .. } => {
                "name a path where nothing stands: a folder of artifacts is published whole"
            }
            Self::Key { help, .. } | Self::Request { help, .. } => help,
            Self::Agent { source, .. } => source.help(),
            Self::Signer { source, .. } | Self::Sign { source, .. } => source.fault().help(),
            Self::Detached { .. } => {
                "prepare this image with `touchstone pe sign --prepare-offline-signing`, and sign that very file with the certificate's key, as `openssl dgst -sha256 -sign` does"
            }
            Self::NoSignature { .. } => {
                "build the artifacts without `detached`, write what is to be signed with `touchstone boot requests --certificate CERTIFICATE --output REQUESTS ARTIFACTS`, sign it with `touchstone boot sign --key KEY --certificate CERTIFICATE --output SIGNATURES REQUESTS`, and put the files into this folder"
            }
            Self::NotAsDescribed { .. } => "make it again, or find out who changed it",
            Self::SignatureData { .. } => {
                "name a certificate (PEM or DER), a signature list (ESL) or a signed update (.auth) as `touchstone keys` makes them; `touchstone keys inspect` shows what a file holds"
            }
            Self::UserspaceLog { .. } => {
                "name the log that systemd writes, /run/log/systemd/tpm2-measure.log, of one boot"
            }
            Self::EventLog { .. } => {
                "name the log that the kernel shows as /sys/kernel/security/tpm0/binary_bios_measurements, of a TPM with a SHA-256 bank"
            }
            Self::Predict { .. } => {
                "ask for PCRs that follow from the given files alone, or use a stub and loader whose behaviour is known"
            }
            Self::Policy { .. } => {
                "name what the policy is to admit: predictions of the running, the next and every kept generation; docs/policies.md says why each rule is there"
            }
            Self::Reference { .. } => {
                "the predictions are what `measure.predict` and `boot.artifacts` write; docs/reference.md says what a document can hold"
            }
            Self::Pcrlock { .. } => "docs/pcrlock.md says what systemd-pcrlock can admit",
            Self::Moved { .. } => {
                "look at what moved: if you meant it, replace the pinned file; if not, find out who changed that component"
            }
            Self::Refuted { claim, .. } => claim.help(),
            Self::Seal { source, .. } => source.help(),
            Self::Manifest { .. } => {
                "pass the whole closure of the toplevel, as exportReferencesGraph lists it"
            }
            Self::NoBootspec { source, .. } => source.help(),
            Self::Closure(source) => source.help(),
            Self::NixDatabase { .. } => {
                "let Nix check it (`nix-store --verify`), or name signatures elsewhere: a folder of .narinfo files, or a manifest"
            }
            Self::Refused { .. } => {
                "build or copy the path again (`nix store repair`), and find out who changed it; nothing was written"
            }
            Self::Bootspec { .. } => "correct the named field of the generation's description",
        }
    }
}
