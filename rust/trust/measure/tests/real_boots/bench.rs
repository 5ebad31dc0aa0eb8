//! A machine to be, in a folder of its own: what its ESP holds, what is predicted of it, and its boot.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use touchstone_harness::boot::{self, Machine};
use touchstone_harness::{Inputs, guest, inputs};
use touchstone_measure::{
    Ask, Bank, BootPath, Companions, Loader, PhasePath, Prediction, Program, Smbios, Uki,
    Variables, eventlog, predict,
};
use touchstone_pe::{Image, certificates};
use touchstone_sign::authenticode::{self, ImageDigest};
use touchstone_sign::keys::{KeyAlgorithm, KeyRequest, generate};
use touchstone_sign::{CertifiedSigner, FileSigner, certificate, esl};
use uuid::Uuid;

/// The banks of the machines' TPM.
pub(crate) const BANKS: [Bank; 2] = [Bank::Sha1, Bank::Sha256];
pub(crate) const OWNER: Uuid = Uuid::from_u128(0x77fa9abd_0359_4d32_bd60_28f4e78f784b);

/// The folder, and the key that signs what the firmware shall start.
pub(crate) struct Bench {
    pub(crate) inputs: Inputs,
    folder: tempfile::TempDir,
    pub(crate) signer: CertifiedSigner,
    pub(crate) db: Vec<u8>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let signer = signer("db");
        let db = list_of(&signer);
        Bench {
            inputs: inputs(),
            folder: tempfile::tempdir().unwrap(),
            signer,
            db,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// A signed copy.
    pub(crate) fn sign(&self, from: &Path, name: &str) -> PathBuf {
        self.sign_by(&[&self.signer], from, name)
    }

    /// A copy with a signature of each, in this order.
    pub(crate) fn sign_by(&self, by: &[&CertifiedSigner], from: &Path, name: &str) -> PathBuf {
        let to = self.path(name);
        fs::copy(from, &to).unwrap();
        for signer in by {
            let mut file = File::options().read(true).write(true).open(&to).unwrap();
            let image = Image::read(&mut file).unwrap();
            let digest = touchstone_pe::authenticode::sha256(&image, &mut file).unwrap();
            let signature = authenticode::signature(&ImageDigest::sha256(&digest), signer).unwrap();
            certificates::append(&mut file, &image, &signature).unwrap();
        }
        to
    }

    /// The unsigned image of the last [`Bench::uki`].
    pub(crate) fn unsigned(&self) -> PathBuf {
        self.path("unsigned.efi")
    }

    /// The probe as `/init` in an initrd, whose length is no multiple of four.
    pub(crate) fn initrd(&self) -> PathBuf {
        let made = self.path("initrd.cpio");
        if made.exists() {
            return made;
        }
        let initrd = guest::initrd(&self.inputs, &self.path("initrd"), None).unwrap();
        let mut initrd = fs::read(initrd).unwrap();
        initrd.push(0);
        self.file("initrd.cpio", &initrd)
    }

    /// A signed UKI by ukify, with these options beside kernel, stub and initrd.
    pub(crate) fn uki(&self, suite: &str, options: &[(&str, PathBuf)]) -> PathBuf {
        let initrd = ("--initrd=", self.initrd());
        self.uki_of(suite, &[&[initrd], options].concat())
    }

    /// A signed UKI by ukify, with these options beside kernel and stub.
    pub(crate) fn uki_of(&self, suite: &str, options: &[(&str, PathBuf)]) -> PathBuf {
        let kernel = &self.inputs.kernel["amd64"].vmlinuz;
        let options = [&[("--linux=", kernel.clone())], options].concat();
        let stub = &self.inputs.stub[suite]["x64"];
        let unsigned = self.ukify(stub, "unsigned.efi", &[kernel], &options);
        self.sign(&unsigned, "uki.efi")
    }

    /// What ukify builds on a stub with these options, each of which names a file; `shown` are those outside of the folder.
    pub(crate) fn ukify(
        &self,
        stub: &Path,
        name: &str,
        shown: &[&Path],
        options: &[(&str, PathBuf)],
    ) -> PathBuf {
        let output = self.path(name);
        let root = self.inputs.trixie();
        let visit = root.visit().bind(self.folder.path()).show(stub);
        let visit = shown.iter().fold(visit, |visit, path| visit.show(path));
        let mut command = visit.command("ukify").unwrap();
        command.arg("build");
        let given = [("--stub=", stub.to_owned()), ("--output=", output.clone())];
        for (option, path) in given.iter().chain(options) {
            command.arg(format!("{option}{}", path.display()));
        }
        let done = command.output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        output
    }

    /// The firmware's variables, with our key in all of them.
    pub(crate) fn variables(&self, secure_boot: bool) -> boot::Variables {
        boot::Variables {
            pk: self.db.clone(),
            kek: self.db.clone(),
            db: self.db.clone(),
            dbx: Vec::new(),
            secure_boot,
        }
    }

    /// The way through this boot loader to this UKI.
    pub(crate) fn path_through(&self, secure_boot: bool, loader: &Path, uki: &Path) -> BootPath {
        let list = self.db.clone();
        let mut loader = File::open(loader).unwrap();
        BootPath {
            path: vec!["generation 1".into()],
            variables: Variables {
                pk: list.clone(),
                kek: list.clone(),
                db: list,
                dbx: Vec::new(),
                dbt: Vec::new(),
                secure_boot,
            },
            medium: None,
            firmware: None,
            failed_exits: 0,
            identity: None,
            shim: None,
            loader: Some(Loader::from_file(&mut loader, &BANKS, None).unwrap()),
            program: Program::Uki(Box::new(
                Uki::from_file("uki.efi", &mut File::open(uki).unwrap(), &BANKS, None).unwrap(),
            )),
            shared: Companions::default(),
            smbios: Smbios::default(),
            no_boot_secret: true,
        }
    }
}

/// A key with its certificate.
pub(crate) fn signer(name: &str) -> CertifiedSigner {
    let request = KeyRequest {
        common_name: name,
        algorithm: KeyAlgorithm::Rsa2048,
        not_before: 1_577_836_800,
        not_after: 4_000_000_000,
        test: true,
    };
    let key = generate(&request).unwrap();
    certified(key.key_pem.as_bytes(), key.certificate_pem.as_bytes())
}

/// A key with its certificate, both in PEM.
pub(crate) fn certified(key: &[u8], certificates: &[u8]) -> CertifiedSigner {
    CertifiedSigner::new(
        Box::new(FileSigner::new(key).unwrap()),
        certificate::read_all(certificates).unwrap(),
    )
    .unwrap()
}

/// The signature list with this certificate.
pub(crate) fn list_of(signer: &CertifiedSigner) -> Vec<u8> {
    esl::of_certificates(OWNER, std::slice::from_ref(signer.certificate())).unwrap()
}

/// Predicts these registers, boots the machine, compares them in both banks, and replays the machine's own log.
pub(crate) fn check(machine: &Machine<'_>, path: &BootPath, pcrs: &[u32]) -> boot::Boot {
    let predicted = predicted(path, pcrs);
    let boot = machine.boot().unwrap();
    compare(&predicted, &boot);
    boot
}

/// What is predicted of these registers.
pub(crate) fn predicted(path: &BootPath, pcrs: &[u32]) -> Prediction {
    predict(path, &ask(pcrs)).unwrap()
}

/// The question for these registers.
pub(crate) fn ask(pcrs: &[u32]) -> Ask {
    Ask {
        pcrs: pcrs.to_vec(),
        banks: BANKS.to_vec(),
        phases: vec![PhasePath::none()],
        os_separator: None,
    }
}

/// Compares every predicted register of a machine that booted, and replays its log.
pub(crate) fn compare(predicted: &Prediction, boot: &boot::Boot) {
    boot.reached().unwrap();
    let log = eventlog::parse(&boot.report.event_log).unwrap();
    for bank in BANKS {
        let measured = &boot.report.pcrs[bank.name()];
        for (pcr, values) in &predicted.leaves[0].pcrs {
            assert_eq!(
                values[&bank].to_string(),
                measured[pcr],
                "PCR {pcr} {bank}\n{}",
                explain(*pcr, predicted, &log)
            );
        }
        for (pcr, value) in log.replay(bank).unwrap() {
            assert_eq!(
                value.to_string(),
                measured[&pcr],
                "replay of PCR {pcr} {bank}"
            );
        }
    }
}

/// What was predicted for a register and what the machine logged, side by side.
fn explain(pcr: u32, predicted: &Prediction, log: &eventlog::EventLog) -> String {
    let ours = predicted.leaves[0]
        .measurements
        .iter()
        .filter(|measurement| measurement.pcr == pcr);
    let ours =
        ours.map(|measurement| format!("predicted {} {}\n", measurement.digest, measurement.why));
    let theirs = log
        .events
        .iter()
        .filter(|event| event.pcr == pcr && event.extends());
    let theirs = theirs.map(|event| {
        format!(
            "logged {:?} {} {}\n",
            event.digest(Bank::Sha256),
            event.type_name(),
            event.describe()
        )
    });
    ours.chain(theirs).collect()
}
