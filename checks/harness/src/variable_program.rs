//! An EFI application that writes one variable, and returns what the firmware answers: so a boot asks for its verdict on an update.
//!
//! Source: UEFI specification 2.10, `SetVariable` (section 8.2.3) and the table of runtime services (section 4.5.1).

use uuid::Uuid;

use crate::efi_program::image_of;

/// A program for x86-64 firmware.
#[derive(Debug, Clone, Copy)]
pub struct VariableProgram<'a> {
    /// The variable's name.
    pub name: &'a str,
    /// The GUID beside it.
    pub vendor: Uuid,
    /// The attributes of the write.
    pub attributes: u32,
    /// What is written: of an authenticated variable the whole signed update.
    pub value: &'a [u8],
}

/// Where the GUID, and behind it the name, follow the code.
const GUID: usize = 56;
const NAME: usize = GUID + 16;

impl VariableProgram<'_> {
    /// The file's bytes.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let units = self.name.encode_utf16().chain([0]);
        let name: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        let value = NAME + name.len();
        let mut code = Vec::new();
        code.extend([0x48, 0x83, 0xec, 0x38]); // sub  rsp, 56: the callee's shadow space and a fifth argument, aligned
        code.extend([0x48, 0x8b, 0x42, 0x58]); // mov  rax, [rdx + 88]: RuntimeServices
        address_of(&mut code, [0x48, 0x8d, 0x0d], NAME); // lea  rcx, [name]
        address_of(&mut code, [0x48, 0x8d, 0x15], GUID); // lea  rdx, [vendor]
        code.extend([0x41, 0xb8]); // mov  r8d, attributes
        code.extend(self.attributes.to_le_bytes());
        code.extend([0x41, 0xb9]); // mov  r9d, size
        code.extend(number(self.value.len()));
        address_of(&mut code, [0x4c, 0x8d, 0x15], value); // lea  r10, [value]
        code.extend([0x4c, 0x89, 0x54, 0x24, 0x20]); // mov  [rsp + 32], r10
        code.extend([0xff, 0x50, 0x58]); // call [rax + 88]: SetVariable
        code.extend([0x48, 0x83, 0xc4, 0x38]); // add  rsp, 56
        code.push(0xc3); // ret, with the answer in rax
        code.resize(GUID, 0x90);
        code.extend(self.vendor.to_bytes_le());
        code.extend(name);
        code.extend(self.value);
        image_of(code, None)
    }
}

/// An instruction that takes the address of what is `at` bytes from the beginning, relative to its own end.
fn address_of(code: &mut Vec<u8>, instruction: [u8; 3], at: usize) {
    let end = code.len() + instruction.len() + 4;
    code.extend(instruction);
    code.extend(number(at.saturating_sub(end)));
}

/// A field of four bytes; nothing here comes near to its limit.
fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_where_the_code_says() {
        let image = VariableProgram {
            name: "db",
            vendor: Uuid::from_u128(7),
            attributes: 0x67,
            value: b"value",
        }
        .image();
        let code = &image[0x200..];
        let target = |end: usize| {
            let displacement = u32::from_le_bytes(code[end - 4..end].try_into().unwrap());
            &code[end + displacement as usize..]
        };
        assert!(target(15).starts_with(b"d\0b\0\0\0"));
        assert!(target(22).starts_with(&Uuid::from_u128(7).to_bytes_le()));
        assert!(target(41).starts_with(b"value"));
        assert_eq!(code[24..28], [0x67, 0, 0, 0]);
        assert_eq!(code[30..34], [5, 0, 0, 0]);
    }
}
