//! Why a document is refused.

use touchstone_store::json::JsonError;
use touchstone_store::{StoreFileError, StorePathError};

/// Why a text is no Bootspec document. `at` is the place inside the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not the JSON that a document is: unknown, missing or null keys, values of another kind.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Neither v1 nor v2.
    #[error(
        "the document has neither `org.nixos.bootspec.v1` nor `org.nixos.bootspec.v2`: it describes nothing to boot"
    )]
    NoCore,
    /// Specialisations of a version that the document itself does not have.
    #[error("the document has `{specialisations}` but no `{core}`")]
    SpecialisationsWithoutCore {
        /// The key of the specialisations.
        specialisations: &'static str,
        /// The key that is missing.
        core: &'static str,
    },
    /// A specialisation with specialisations of its own.
    #[error("in {at}: specialisations do not nest")]
    NestedSpecialisation {
        /// The specialisation.
        at: String,
    },
    /// v1 inside a specialisation of v2: v2's hold that version alone.
    #[error(
        "in {at}: the key `org.nixos.bootspec.v1` does not belong here: v1 of this specialisation stands in `org.nixos.specialisation.v1`"
    )]
    V1InsideV2 {
        /// The specialisation.
        at: String,
    },
    /// v1 and v2 describe different generations: what a machine boots would depend on which version its boot loader's installer knows.
    #[error("{v1} and {v2} say different things about `{key}`: both describe the same generation")]
    Disagreement {
        /// The core object of v1.
        v1: String,
        /// The core object of v2.
        v2: String,
        /// The key.
        key: &'static str,
    },
    /// A specialisation that one of two versions has.
    #[error("the specialisation `{}` is missing in {at}, which the other version has", .name.escape_debug())]
    MissingSpecialisation {
        /// The key of the specialisations that lack it.
        at: &'static str,
        /// The name.
        name: String,
    },
    /// A name that cannot be the name of a folder, which it is in every toplevel.
    #[error("in {at}: `{}` is no name for a specialisation: it cannot be empty, `.` or `..` or hold `/` or control characters", .name.escape_debug())]
    SpecialisationName {
        /// The key of the specialisations.
        at: String,
        /// The name.
        name: String,
    },
    /// An extension that is no object.
    #[error("the extension `{}` is no object: every key beside the core is an extension, and every extension an object", .at.escape_debug())]
    ExtensionNotAnObject {
        /// The extension's place.
        at: String,
    },
    /// A path that is relative, outside of the store or not canonical.
    #[error("in {at}: the key `{key}`: {why}")]
    File {
        /// The core object.
        at: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: StoreFileError,
    },
    /// A toplevel that is no store path.
    #[error("in {at}: the key `{key}`: {why}")]
    StorePath {
        /// The core object.
        at: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: StorePathError,
    },
    /// A NUL, line break or other control character in a text or path that ends up in menus, entry files and command lines.
    #[error("in {at}: the key `{key}` holds a control character (a NUL or a line break, say)")]
    ControlCharacter {
        /// The core object.
        at: String,
        /// The key.
        key: &'static str,
    },
    /// An `init` that would be more than one parameter: white space ends it, and a quote changes what ends it.
    #[error(
        "in {at}: the key `init` holds white space or a quote: it stands in the kernel's command line"
    )]
    InitPath {
        /// The core object.
        at: String,
    },
    /// `init=` among the kernel parameters: a second one beside the consumer's own.
    #[error(
        "in {at}: `kernelParams` holds `init=`, which stands in the key `init` and is put in front by whoever boots the document"
    )]
    InitInKernelParams {
        /// The core object.
        at: String,
    },
}
