//! Whether a closure in a store is what was signed.

mod agreement;
mod answers;
mod damage;
mod page;
