//! The words of `touchstone pe sign` and `touchstone pe unsign`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use touchstone_artifacts::detached::{DetachedSignature, PreparePe};
use touchstone_artifacts::sign::SignPe;
use touchstone_artifacts::signing_key::SigningKey;
use touchstone_artifacts::unsign::UnsignPe;

use crate::arguments::KeyArguments;
use crate::arguments::key::HowToSign;

#[derive(Args)]
#[command(group(
    ArgGroup::new("by").required(true).args(["key", "prepare_offline_signing", "signed_data"])
))]
pub struct Sign {
    /// The signing key: a PEM or DER file, pkcs11:…, or tpm2:…
    #[arg(long)]
    key: Option<String>,
    /// The key's certificate: a PEM or DER file; certificates after the first are its chain
    #[arg(long)]
    certificate: PathBuf,
    #[command(flatten)]
    how: HowToSign,
    /// Do not sign, but write what is to be signed elsewhere to the output
    #[arg(long, conflicts_with_all = ["replace", "checksum", "passphrase_file"])]
    prepare_offline_signing: bool,
    /// Attach a signature that was made elsewhere: the file that --prepare-offline-signing wrote
    #[arg(
        long,
        value_name = "DATA",
        requires = "signed_data_signature", conflicts_with_all = ["digest", "passphrase_file"]
    )]
    signed_data: Option<PathBuf>,
    /// The bare signature of that file, as `openssl dgst -sign` makes it
    #[arg(long, value_name = "SIGNATURE", requires = "signed_data")]
    signed_data_signature: Option<PathBuf>,
    /// Remove the signatures that the image has; otherwise the new one stands beside them
    #[arg(long)]
    replace: bool,
    /// Write the header's CheckSum, which firmware ignores
    #[arg(long)]
    checksum: bool,
    /// Where the signed image is written
    #[arg(long)]
    output: PathBuf,
    /// The image
    file: PathBuf,
}

/// What the words ask for.
pub enum Request {
    Sign(SignPe),
    Prepare(PreparePe),
}

impl From<Sign> for Request {
    fn from(words: Sign) -> Request {
        if words.prepare_offline_signing {
            return Request::Prepare(PreparePe {
                file: words.file,
                certificate: words.certificate,
                digest: words.how.digest.into(),
                allow_expired: words.how.allow_expired,
                output: words.output,
            });
        }
        let (certificate, allow_expired) = (words.certificate.clone(), words.how.allow_expired);
        let detached = words.signed_data.zip(words.signed_data_signature);
        Request::Sign(SignPe {
            sign: words.key.map(|key| {
                SigningKey::from(KeyArguments {
                    key,
                    certificate: words.certificate,
                    how: words.how,
                })
            }),
            detached: detached.map(|(signed_data, signature)| DetachedSignature {
                certificate,
                signed_data,
                signature,
                allow_expired,
            }),
            file: words.file,
            replace: words.replace,
            checksum: words.checksum,
            output: words.output,
        })
    }
}

#[derive(Args)]
pub struct Unsign {
    /// Remove this signature only, counted from 1 as `uki inspect` lists them
    #[arg(long, value_name = "N")]
    signature: Option<NonZeroUsize>,
    /// Write the header's CheckSum, which firmware ignores
    #[arg(long)]
    checksum: bool,
    /// Where the image is written
    #[arg(long)]
    output: PathBuf,
    /// The image
    file: PathBuf,
}

impl From<Unsign> for UnsignPe {
    fn from(words: Unsign) -> UnsignPe {
        UnsignPe {
            file: words.file,
            signature: words.signature,
            checksum: words.checksum,
            output: words.output,
        }
    }
}
