//! A PKCS#11 module for the checks: another module, but for one fault. The README has the variables and the faults.
#![allow(
    unsafe_code,
    reason = "a PKCS#11 module is called by C's rules, and calls another module by them"
)]

mod fault;
mod module;

use cryptoki_sys::{
    CK_BYTE_PTR, CK_FUNCTION_LIST_PTR_PTR, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_TOKEN_INFO_PTR,
    CK_ULONG, CK_ULONG_PTR, CK_USER_TYPE, CK_UTF8CHAR_PTR, CKF_PROTECTED_AUTHENTICATION_PATH,
    CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED, CKR_ARGUMENTS_BAD, CKR_DEVICE_REMOVED,
    CKR_FUNCTION_NOT_SUPPORTED, CKR_GENERAL_ERROR, CKR_OK, CKR_PIN_LOCKED,
};

use fault::Fault;
use module::module;

/// The one symbol of a PKCS#11 module: gives out the table of its functions.
///
/// # Safety
/// As PKCS#11 section 5.4 says: `list` is null or may be written through.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    let Some(module) = module() else {
        return CKR_GENERAL_ERROR;
    };
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    // SAFETY: not null, so by the contract above it may be written through. The table lies in a static and is never changed: callers
    // read it only, as PKCS#11 says.
    unsafe { *list = std::ptr::from_ref(&module.table).cast_mut() };
    CKR_OK
}

/// C_GetTokenInfo.
///
/// # Safety
/// As PKCS#11 section 5.5 says: `info` is null or may be written through.
unsafe extern "C" fn get_token_info(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) -> CK_RV {
    let Some((module, real)) = module().and_then(|m| Some((m, m.real.C_GetTokenInfo?))) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the arguments are the caller's, for the same function.
    let answer = unsafe { real(slot, info) };
    let flags = match module.fault {
        Fault::SaysLocked => CKF_USER_PIN_LOCKED,
        Fault::SaysLastTry => CKF_USER_PIN_FINAL_TRY,
        Fault::KeysOnReader => CKF_PROTECTED_AUTHENTICATION_PATH,
        _ => 0,
    };
    if answer == CKR_OK {
        // SAFETY: the real module has just written through it with success, so it is neither null nor dangling.
        unsafe { (*info).flags |= flags };
    }
    answer
}

/// C_Login.
///
/// # Safety
/// As PKCS#11 section 5.6 says: `pin` is null or has `length` bytes.
unsafe extern "C" fn login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    length: CK_ULONG,
) -> CK_RV {
    let Some((module, real)) = module().and_then(|m| Some((m, m.real.C_Login?))) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    match module.fault {
        Fault::PinLocked => CKR_PIN_LOCKED,
        Fault::RemovedAtLogin => CKR_DEVICE_REMOVED,
        Fault::KeysOnReader if pin.is_null() => {
            let Some(mut typed) = fault::typed_pin() else {
                return CKR_GENERAL_ERROR;
            };
            let length = CK_ULONG::try_from(typed.len()).unwrap_or(CK_ULONG::MAX);
            // SAFETY: the bytes live until the call is over, and `length` is how many there are.
            unsafe { real(session, user, typed.as_mut_ptr(), length) }
        }
        // SAFETY: the arguments are the caller's, for the same function.
        _ => unsafe { real(session, user, pin, length) },
    }
}

/// C_Sign.
///
/// # Safety
/// As PKCS#11 section 5.13 says: `data` has `data_length` bytes, `signature` is null or has `*length` bytes, `length` may be written
/// through.
unsafe extern "C" fn sign(
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_length: CK_ULONG,
    signature: CK_BYTE_PTR,
    length: CK_ULONG_PTR,
) -> CK_RV {
    let Some((module, real)) = module().and_then(|m| Some((m, m.real.C_Sign?))) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    if module.fault == Fault::Removed {
        return CKR_DEVICE_REMOVED;
    }
    // SAFETY: the arguments are the caller's, for the same function.
    let answer = unsafe { real(session, data, data_length, signature, length) };
    // A null pointer asks for the length alone.
    if answer != CKR_OK || signature.is_null() || !module.fault.spoils_this_signature() {
        return answer;
    }
    // SAFETY: the real module has just written the length through it with success.
    let length = usize::try_from(unsafe { *length }).unwrap_or(0);
    if let Some(last) = length.checked_sub(1) {
        // SAFETY: the real module has just written `length` bytes there, of which this is the last.
        unsafe { *signature.add(last) ^= 1 };
    }
    answer
}
