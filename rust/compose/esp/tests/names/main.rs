//! Names, counters, entries and settings: what is read is what was written, and the order is the boot loader's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

mod counter;
mod entry_name;
mod loader_conf;
mod order;
mod os_release;
mod selection;
mod type1;
