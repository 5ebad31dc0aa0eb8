//! The module that does the work, and the table that is given out in place of its own.

use std::sync::OnceLock;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR_PTR, CK_RV, CKR_OK};
use libloading::Library;

use crate::fault::Fault;
use crate::{C_GetFunctionList, get_token_info, login, sign};

/// Both tables, and the fault.
pub(crate) struct Module {
    pub(crate) real: CK_FUNCTION_LIST,
    pub(crate) table: CK_FUNCTION_LIST,
    pub(crate) fault: Fault,
}

type GetFunctionList = unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV;

/// The module, loaded once; nothing where the environment does not name one and a fault.
pub(crate) fn module() -> Option<&'static Module> {
    static MODULE: OnceLock<Option<Module>> = OnceLock::new();
    MODULE.get_or_init(load).as_ref()
}

fn load() -> Option<Module> {
    let fault = Fault::asked_for()?;
    let file = std::env::var_os("FAULTY_TOKEN_MODULE")?;
    // SAFETY: what a PKCS#11 module does when it is loaded is fit for any process: that is its purpose.
    let library = unsafe { Library::new(file) }.ok()?;
    // SAFETY: in a PKCS#11 module the symbol is a function of this type (PKCS#11 section 5.4).
    let get = *unsafe { library.get::<GetFunctionList>(b"C_GetFunctionList") }.ok()?;
    let mut table = std::ptr::null_mut();
    // SAFETY: the argument points to a variable that outlives the call.
    let answer = unsafe { get(&raw mut table) };
    if answer != CKR_OK || table.is_null() {
        return None;
    }
    // SAFETY: the call succeeded, so it points to the module's table, which stays where it is while the module is loaded.
    let real = unsafe { *table };
    // The functions are called until the process ends: the module is never unloaded.
    std::mem::forget(library);
    let table = CK_FUNCTION_LIST {
        C_GetFunctionList: Some(C_GetFunctionList),
        C_GetTokenInfo: Some(get_token_info),
        C_Login: Some(login),
        C_Sign: Some(sign),
        ..real
    };
    Some(Module { real, table, fault })
}
