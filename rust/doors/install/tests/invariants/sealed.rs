//! Sealed generations of a world.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{World, store_path};

impl World {
    /// A sealed generation with these specialisations, all with predicted PCR values where that is asked for. The answer is its path.
    pub fn sealed(&self, name: &str, specialisations: &[&str], predicted: bool) -> String {
        let path = store_path(&format!("nixos-system-{name}-sealed"));
        let inner = inner(name);
        self.write_settings(&inner);
        self.write_settings(&path);
        let mut artifacts = self.artifacts(&path, "touchstone", name, predicted);
        artifacts["sealed"] = json!(path);
        let mut children = json!({});
        for child in specialisations {
            let inner = self::inner(&format!("{name}-{child}"));
            self.write_settings(&inner);
            children[child] =
                json!({ "org.nixos.bootspec.v2": self.core(&format!("{name}-{child}"), &inner) });
            let folder = format!("specialisation/{child}/touchstone");
            let name = format!("{name}-{child}");
            artifacts["specialisations"][child] = self.artifacts(&path, &folder, &name, predicted);
        }
        let document = json!({
            "org.nixos.bootspec.v2": self.core(name, &inner),
            "org.nixos.specialisation.v2": children,
            "org.touchstone.v1": artifacts,
        });
        self.write(&format!("{path}/boot.json"), document.to_string());
        path
    }

    /// Image and predictions in a folder of a sealed generation.
    fn artifacts(&self, path: &str, folder: &str, name: &str, predicted: bool) -> Value {
        let image = format!("image of {name}");
        let mut described =
            json!({ "uki": self.described(path, &format!("{folder}/uki.efi"), &image) });
        let digest = HEXLOWER.encode(&Sha256::digest(&image));
        described["uki"]["authenticodeSha256"] = json!(digest);
        if predicted {
            let pcrs = [7, 11, 12, 13].map(|pcr| {
                let value = HEXLOWER.encode(&Sha256::digest(format!("{name} {pcr}")));
                (pcr.to_string(), json!({ "sha256": value }))
            });
            let pcrs: serde_json::Map<String, Value> = pcrs.into_iter().collect();
            let leaf = json!({ "path": [], "pcrs": pcrs, "measurements": [] });
            let text = json!({ "leaves": [leaf], "assumptions": [] }).to_string();
            described["pcrs"] = self.described(path, &format!("{folder}/pcrs.json"), &text);
        }
        described
    }

    fn described(&self, path: &str, file: &str, content: &str) -> Value {
        self.write(&format!("{path}/{file}"), content);
        json!({
            "path": file,
            "sha256": HEXLOWER.encode(&Sha256::digest(content)),
            "size": content.len(),
        })
    }
}

/// The inner toplevel of a sealed generation.
pub fn inner(name: &str) -> String {
    store_path(&format!("nixos-system-{name}"))
}
