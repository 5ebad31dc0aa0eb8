//! The list of operations, and how a request finds its own.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use touchstone_artifacts::boot_signatures::{
    RequestSignatures, RequestedSignatures, SignRequests, SignedRequests,
};
use touchstone_artifacts::boot_verify::{ArtifactsVerdict, VerifyArtifacts};
use touchstone_artifacts::bootspec::{
    EmitBootspec, EmittedBootspec, ShowBootspec, ShownBootspec, SynthesizeBootspec,
    SynthesizedBootspec, UpgradeBootspec, UpgradedBootspec, ValidateBootspec, ValidatedBootspecs,
};
use touchstone_artifacts::closure_export::{ExportClosure, ExportedClosure};
use touchstone_artifacts::closure_import::{ImportClosure, ImportedClosure};
use touchstone_artifacts::closure_manifest::{ListClosure, SignClosure};
use touchstone_artifacts::closure_registration::{ListRegistered, RegisteredPaths};
use touchstone_artifacts::closure_verify::{ClosureVerdict, VerifyClosure};
use touchstone_artifacts::detached::{PreparePe, PreparedPe};
use touchstone_artifacts::diff::{DiffUki, ImageDifferences};
use touchstone_artifacts::eventlog::{
    CompareEventLog, Comparison, ReplayEventLog, ReplayedPcrs, ShowEventLog, ShownEventLog,
};
use touchstone_artifacts::generation::{BootArtifacts, MadeBootArtifacts};
use touchstone_artifacts::inspect::{DigestPe, MeasureUki, PeDigest};
use touchstone_artifacts::inspect_uki::{InspectUki, InspectedImage};
use touchstone_artifacts::interpreters::{FindInterpreters, InterpretersVerdict};
use touchstone_artifacts::keys::{
    GenerateKeys, GeneratedKeys, InspectKeys, InspectedKeys, MadeEsl, MakeEsl, PrepareUpdate,
    PreparedUpdate, SignUpdate, SignedUpdate,
};
use touchstone_artifacts::manifest::{CreateManifest, ManifestSummary, SignManifest};
use touchstone_artifacts::measure_parts::{MeasureParts, MeasuredParts};
use touchstone_artifacts::pcr11::UkiPcrs;
use touchstone_artifacts::policy::{
    CreatePolicy, PcrPolicy, ShowPolicy, ShownPolicy, SignPolicy, SignedPolicy,
};
use touchstone_artifacts::predict::{PredictPcrs, Prediction};
use touchstone_artifacts::reference::{
    Changes, CheckReference, ComparePredictions, CreatePcrlock, CreateReference, CreatedPcrlock,
    CreatedReference, Reference, Verdict,
};
use touchstone_artifacts::secrets::{FindSecrets, SecretsVerdict};
use touchstone_artifacts::sign::{SignPe, SignedPe};
use touchstone_artifacts::space::{MeasureSpace, SpaceVerdict};
use touchstone_artifacts::store_path::{ParseStorePath, ParsedStorePath};
use touchstone_artifacts::uki::{AssembleUki, MeasuredAssembly};
use touchstone_artifacts::unsign::{UnsignPe, UnsignedPe};
use touchstone_artifacts::verify::{PeVerdict, VerifyPe};
use touchstone_artifacts::{Context, Error};

use crate::{Effect, Failure, typed};

/// A request type: what it is called, what it answers, and who performs it.
pub trait Operation: DeserializeOwned + JsonSchema {
    /// The name in the request's `operation` field.
    const NAME: &'static str;
    /// What the operation does, in a line.
    const ABOUT: &'static str;
    /// What it does to the world.
    const EFFECT: Effect;
    /// The answer.
    type Answer: Serialize + JsonSchema;
    /// JSON Schema of the document that the operation writes, where it has a form of Touchstone's own beside the answer's.
    fn document() -> Option<Schema> {
        None
    }
    /// Performs the operation.
    ///
    /// # Errors
    /// Whatever the operation refuses.
    fn run(&self, context: &Context<'_>) -> Result<Self::Answer, Error>;
}

macro_rules! operation {
    ($name:literal, $request:ty => $answer:ty, $effect:ident, $about:literal $(, $document:ty)?) => {
        impl Operation for $request {
            const NAME: &'static str = $name;
            const ABOUT: &'static str = $about;
            const EFFECT: Effect = Effect::$effect;
            type Answer = $answer;
            $(fn document() -> Option<Schema> {
                Some(schema_for!($document))
            })?
            fn run(&self, context: &Context<'_>) -> Result<$answer, Error> {
                <$request>::run(self, context)
            }
        }
    };
}

operation!("bootspec.emit", EmitBootspec => EmittedBootspec, Value,
    "the Bootspec document of a generation, v2 beside v1");
operation!("bootspec.validate", ValidateBootspec => ValidatedBootspecs, Value,
    "whether files are Bootspec documents");
operation!("bootspec.upgrade", UpgradeBootspec => UpgradedBootspec, Value,
    "a Bootspec document with v2 beside its v1");
operation!("bootspec.synthesize", SynthesizeBootspec => SynthesizedBootspec, World,
    "the Bootspec document of a generation that was built without one");
operation!("bootspec.show", ShowBootspec => ShownBootspec, Value,
    "what a Bootspec document says");
operation!("uki.assemble", AssembleUki => MeasuredAssembly, Files,
    "a unified kernel image from a stub and its parts, signed if asked");
operation!("uki.inspect", InspectUki => InspectedImage, Value,
    "what a PE image consists of, and what each profile of a UKI gives PCR 11");
operation!("uki.diff", DiffUki => ImageDifferences, Value,
    "what differs between two PE images");
operation!("pe.sign", SignPe => SignedPe, Files,
    "an Authenticode signature on a PE image");
operation!("pe.prepare", PreparePe => PreparedPe, Files,
    "what is to be signed elsewhere for a PE image");
operation!("pe.unsign", UnsignPe => UnsignedPe, Files,
    "a PE image without its signatures, or without one of them");
operation!("pe.verify", VerifyPe => PeVerdict, Value,
    "whether firmware would start a PE image, and why");
operation!("pe.digest", DigestPe => PeDigest, Value,
    "the Authenticode digest of a PE image");
operation!("measure.uki", MeasureUki => UkiPcrs, Value,
    "the PCR 11 values of a unified kernel image, by phase");
operation!("measure.parts", MeasureParts => MeasuredParts, Value,
    "the PCR 11 values of unified kernel images that are not built, from their parts");
operation!("measure.predict", PredictPcrs => Prediction, Value,
    "the PCR values that a machine will have when it boots the given files");
operation!("measure.compare", ComparePredictions => Changes, Value,
    "whether a prediction is the pinned one, and which component moved which PCR");
operation!("reference.create", CreateReference => CreatedReference, Files,
    "what all kept generations will measure, as one document for verifiers", Reference);
operation!("reference.check", CheckReference => Verdict, Value,
    "whether a machine is in a state that a reference document admits");
operation!("pcrlock.create", CreatePcrlock => CreatedPcrlock, Files,
    "component files of systemd-pcrlock from predictions");
operation!("eventlog.show", ShowEventLog => ShownEventLog, Value,
    "the events of a firmware's log, and what they say");
operation!("eventlog.replay", ReplayEventLog => ReplayedPcrs, Value,
    "the PCR values that a firmware's log adds up to");
operation!("eventlog.compare", CompareEventLog => Comparison, Value,
    "which prediction a firmware's log is, or what is otherwise");
operation!("policy.create", CreatePolicy => PcrPolicy, Value,
    "one TPM policy that admits exactly the given predictions");
operation!("policy.sign", SignPolicy => SignedPolicy, Files,
    "signatures by which a TPM policy is renewed: .pcrsig");
operation!("policy.show", ShowPolicy => ShownPolicy, Value,
    "what a TPM policy or a set of signatures admits");
operation!("manifest.create", CreateManifest => ManifestSummary, Files,
    "the list of a closure's store paths and their NAR hashes");
operation!("manifest.sign", SignManifest => ManifestSummary, Files,
    "Nix signatures on each path of a manifest");
operation!("boot.verify", VerifyArtifacts => ArtifactsVerdict, World,
    "whether a folder of boot artifacts is what its documents say");
operation!("boot.space", MeasureSpace => SpaceVerdict, Value,
    "whether so many generations fit on an EFI system partition");
operation!("store.path", ParseStorePath => ParsedStorePath, Value,
    "the parts of a store path's name");
operation!("closure.verify", VerifyClosure => ClosureVerdict, World,
    "whether a closure is signed, and in the store as it was signed");
operation!("closure.sign", SignClosure => ManifestSummary, World,
    "a manifest of a closure in a store, hashed and signed");
operation!("closure.manifest", ListClosure => ManifestSummary, World,
    "a manifest of a closure in a store, hashed, with the signatures that are known");
operation!("closure.secrets", FindSecrets => SecretsVerdict, World,
    "whether private keys lie in store paths");
operation!("closure.interpreters", FindInterpreters => InterpretersVerdict, World,
    "whether interpreters lie in store paths, or files that need one");
operation!("closure.export", ExportClosure => ExportedClosure, World,
    "a signed closure as one stream or as a binary cache, for machines without Nix");
operation!("closure.import", ImportClosure => ImportedClosure, World,
    "signed paths into the store of a machine without Nix");
operation!("closure.registration", ListRegistered => RegisteredPaths, World,
    "what is registered on a machine without Nix, as the list that Nix reads");
operation!("keys.generate", GenerateKeys => GeneratedKeys, World,
    "keys for Secure Boot, with signed updates that enrol them");
operation!("keys.esl", MakeEsl => MadeEsl, Files,
    "signature lists of certificates, images and digests, for db or dbx");
operation!("keys.prepare", PrepareUpdate => PreparedUpdate, Files,
    "what is to be signed elsewhere for an update of PK, KEK, db or dbx");
operation!("keys.auth", SignUpdate => SignedUpdate, Files,
    "a signed update of PK, KEK, db or dbx");
operation!("keys.inspect", InspectKeys => InspectedKeys, Value,
    "what certificates, signature lists and signed updates hold");
operation!("boot.artifacts", BootArtifacts => MadeBootArtifacts, Files,
    "all boot artifacts of one generation and its specialisations");
operation!("boot.requests", RequestSignatures => RequestedSignatures, Files,
    "what is to be signed elsewhere for a folder of boot artifacts");
operation!("boot.sign", SignRequests => SignedRequests, Files,
    "the signatures of everything that a folder of requests asks for");

/// What is known of an operation without running it.
pub struct Description {
    /// The name in the request's `operation` field.
    pub name: &'static str,
    /// What the operation does, in a line.
    pub about: &'static str,
    /// What it does to the world.
    pub effect: Effect,
    request: fn() -> Schema,
    answer: fn() -> Schema,
    document: fn() -> Option<Schema>,
    run: fn(Value, &Context<'_>) -> Result<Value, Failure>,
}

impl Description {
    fn of<T: Operation>() -> Self {
        Self {
            name: T::NAME,
            about: T::ABOUT,
            effect: T::EFFECT,
            request: || named_request(T::NAME, T::ABOUT, schema_for!(T)),
            answer: || schema_for!(T::Answer),
            document: T::document,
            run: |value, context| {
                let answer = typed::request::<T>(T::NAME, value)?.run(context)?;
                serde_json::to_value(answer).map_err(|error| Failure::malformed(error.to_string()))
            },
        }
    }

    /// JSON Schema of the request, its `operation` field included.
    pub fn request_schema(&self) -> Schema {
        (self.request)()
    }

    /// JSON Schema of the answer.
    pub fn answer_schema(&self) -> Schema {
        (self.answer)()
    }

    /// JSON Schema of the document that is written, see [`Operation::document`].
    pub fn document_schema(&self) -> Option<Schema> {
        (self.document)()
    }
}

/// Every operation, in the order of a generation's making.
pub fn operations() -> Vec<Description> {
    vec![
        Description::of::<EmitBootspec>(),
        Description::of::<ValidateBootspec>(),
        Description::of::<UpgradeBootspec>(),
        Description::of::<SynthesizeBootspec>(),
        Description::of::<ShowBootspec>(),
        Description::of::<AssembleUki>(),
        Description::of::<InspectUki>(),
        Description::of::<DiffUki>(),
        Description::of::<SignPe>(),
        Description::of::<PreparePe>(),
        Description::of::<UnsignPe>(),
        Description::of::<VerifyPe>(),
        Description::of::<DigestPe>(),
        Description::of::<MeasureUki>(),
        Description::of::<MeasureParts>(),
        Description::of::<PredictPcrs>(),
        Description::of::<ComparePredictions>(),
        Description::of::<CreateReference>(),
        Description::of::<CheckReference>(),
        Description::of::<CreatePcrlock>(),
        Description::of::<ShowEventLog>(),
        Description::of::<ReplayEventLog>(),
        Description::of::<CompareEventLog>(),
        Description::of::<CreatePolicy>(),
        Description::of::<SignPolicy>(),
        Description::of::<ShowPolicy>(),
        Description::of::<CreateManifest>(),
        Description::of::<SignManifest>(),
        Description::of::<BootArtifacts>(),
        Description::of::<RequestSignatures>(),
        Description::of::<SignRequests>(),
        Description::of::<VerifyArtifacts>(),
        Description::of::<MeasureSpace>(),
        Description::of::<ParseStorePath>(),
        Description::of::<VerifyClosure>(),
        Description::of::<SignClosure>(),
        Description::of::<ListClosure>(),
        Description::of::<FindSecrets>(),
        Description::of::<FindInterpreters>(),
        Description::of::<ExportClosure>(),
        Description::of::<ImportClosure>(),
        Description::of::<ListRegistered>(),
        Description::of::<GenerateKeys>(),
        Description::of::<MakeEsl>(),
        Description::of::<PrepareUpdate>(),
        Description::of::<SignUpdate>(),
        Description::of::<InspectKeys>(),
    ]
}

/// Performs the request, a JSON object with an `operation` field.
///
/// # Errors
/// [`Failure`] when the operation is not known, a field is missing, unknown or of the wrong type, or the operation refuses.
pub fn dispatch(request: Value, context: &Context<'_>) -> Result<Value, Failure> {
    let Value::Object(mut fields) = request else {
        return Err(Failure::malformed("the request is not a JSON object"));
    };
    let Some(Value::String(name)) = fields.shift_remove("operation") else {
        return Err(Failure::malformed(
            "the request has no text field `operation`",
        ));
    };
    let known = operations();
    let Some(description) = known.iter().find(|known| known.name == name) else {
        let names: Vec<_> = known.iter().map(|known| known.name).collect();
        return Err(Failure::malformed(format!(
            "there is no operation `{name}`; there are {}",
            names.join(", ")
        )));
    };
    (description.run)(Value::Object(fields), context)
}

/// Performs a request that a door has built itself: the typed form of [`dispatch`].
///
/// # Errors
/// [`Failure`] when the operation refuses.
pub fn perform<T: Operation>(request: &T, context: &Context<'_>) -> Result<T::Answer, Failure> {
    Ok(request.run(context)?)
}

fn named_request(name: &str, about: &str, mut schema: Schema) -> Schema {
    let object = schema.ensure_object();
    object.insert("title".to_owned(), name.into());
    object.insert("description".to_owned(), about.into());
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.insert("operation".to_owned(), serde_json::json!({ "const": name }));
    }
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.push("operation".into());
    } else {
        object.insert("required".to_owned(), serde_json::json!(["operation"]));
    }
    schema
}
