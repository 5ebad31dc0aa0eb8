//! The few commands of a TPM 2.0 that a guest needs (TPM 2.0 Library, Part 3, revision 1.59).

use std::io::{Read, Write};

mod wire;

use wire::{Command, Response};
pub use wire::{Tpm, TpmError};

/// `TPM_ALG_…` and `TPM_RH_…` (Part 2, sections 6.3 and 7.4).
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const RSASSA: u16 = 0x0014;
const OWNER: u32 = 0x4000_0001;
const NO_HANDLE: u32 = 0x4000_0007;
/// `TPM_SE_POLICY` (Part 2, section 6.11).
const POLICY: u8 = 1;
/// Bytes of a selection: 24 registers.
const SELECTION: u8 = 3;

/// An open policy session (SHA-256).
#[derive(Debug, Clone, Copy)]
pub struct Session(u32);

/// A key that was loaded for its public part.
#[derive(Debug)]
pub struct Key {
    handle: u32,
    name: Vec<u8>,
}

/// A ticket that says that the TPM has verified a signature.
#[derive(Debug)]
pub struct Ticket(Vec<u8>);

impl<T: Read + Write> Tpm<T> {
    /// Extends a register in every active bank with the digest of these bytes in that bank: `TPM2_PCR_Event` (section 22.3), which leaves
    /// the register as `TPM2_PCR_Extend` with the same digests does.
    pub fn extend(&mut self, pcr: u32, data: &[u8]) -> Result<(), TpmError> {
        let command = Command::new("PCR_Event", 0x13c).handle(pcr).with_password();
        self.send(command.sized(data)).map(drop)
    }

    /// `TPM2_StartAuthSession` (section 11.1): a policy session without salt, key and parameter encryption.
    pub fn start_policy(&mut self) -> Result<Session, TpmError> {
        let command = Command::new("StartAuthSession", 0x176)
            .handle(NO_HANDLE)
            .handle(NO_HANDLE)
            // The caller's nonce protects HMACs, which such a session does not have; 16 bytes are the fewest.
            .sized(&[0; 16])
            .sized(&[])
            .u8(POLICY)
            .u16(NULL)
            .u16(SHA256);
        self.send(command)?.u32().map(Session)
    }

    /// `TPM2_PolicyPCR` (section 23.7) with the values that the registers have now.
    pub fn policy_pcr(
        &mut self,
        session: Session,
        bank: u16,
        pcrs: &[u32],
    ) -> Result<(), TpmError> {
        let command = Command::new("PolicyPCR", 0x17f).handle(session.0);
        let command = command.sized(&[]).u32(1).u16(bank).u8(SELECTION);
        self.send(command.raw(&selection(pcrs))).map(drop)
    }

    /// `TPM2_PolicyOR` (section 23.6).
    pub fn policy_or(&mut self, session: Session, branches: &[Vec<u8>]) -> Result<(), TpmError> {
        let command = Command::new("PolicyOR", 0x171).handle(session.0);
        let count = u32::try_from(branches.len()).unwrap_or(u32::MAX);
        let command = branches
            .iter()
            .fold(command.u32(count), |command, branch| command.sized(branch));
        self.send(command).map(drop)
    }

    /// `TPM2_LoadExternal` (section 12.3) of a public key (`TPMT_PUBLIC`) in the owner hierarchy: tickets of the null hierarchy authorize
    /// nothing.
    pub fn load_public(&mut self, public: &[u8]) -> Result<Key, TpmError> {
        let command = Command::new("LoadExternal", 0x167).sized(&[]);
        let mut response = self.send(command.sized(public).u32(OWNER))?;
        let handle = response.u32()?;
        let name = response.sized()?;
        Ok(Key { handle, name })
    }

    /// `TPM2_VerifySignature` (section 20.1): RSA PKCS#1 v1.5 with SHA-256.
    pub fn verify(
        &mut self,
        key: &Key,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<Ticket, TpmError> {
        let command = Command::new("VerifySignature", 0x177)
            .handle(key.handle)
            .sized(digest)
            .u16(RSASSA)
            .u16(SHA256)
            .sized(signature);
        self.send(command).map(Response::rest).map(Ticket)
    }

    /// `TPM2_PolicyAuthorize` (section 23.16).
    pub fn policy_authorize(
        &mut self,
        session: Session,
        approved: &[u8],
        reference: &[u8],
        key: &Key,
        ticket: &Ticket,
    ) -> Result<(), TpmError> {
        let command = Command::new("PolicyAuthorize", 0x16a)
            .handle(session.0)
            .sized(approved)
            .sized(reference)
            .sized(&key.name)
            .raw(&ticket.0);
        self.send(command).map(drop)
    }

    /// `TPM2_Unseal` (section 12.7). The secret crosses the bus as it is. The session ends when it succeeds.
    pub fn unseal(&mut self, object: u32, session: Session) -> Result<Vec<u8>, TpmError> {
        let command = Command::new("Unseal", 0x15e)
            .handle(object)
            .with_session(session.0);
        let mut response = self.send(command)?;
        // The size of the parameters, as a response with a session has it.
        response.u32()?;
        response.sized()
    }

    /// `TPM2_FlushContext` (section 28.4) of a session.
    pub fn end(&mut self, session: Session) -> Result<(), TpmError> {
        self.flush(session.0)
    }

    /// The same of a key.
    pub fn unload(&mut self, key: Key) -> Result<(), TpmError> {
        self.flush(key.handle)
    }

    fn flush(&mut self, handle: u32) -> Result<(), TpmError> {
        // The handle is a parameter of this command.
        let command = Command::new("FlushContext", 0x165).u32(handle);
        self.send(command).map(drop)
    }
}

/// A bit for each register (Part 2, section 10.6.2); registers that no TPM of a PC has are left out.
fn selection(pcrs: &[u32]) -> [u8; SELECTION as usize] {
    let bits = pcrs
        .iter()
        .filter(|pcr| **pcr < u32::from(SELECTION) * 8)
        .fold(0_u32, |bits, pcr| bits | 1 << pcr);
    let [first, second, third, _] = bits.to_le_bytes();
    [first, second, third]
}
