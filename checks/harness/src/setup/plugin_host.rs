//! The Nix that loads plugins: its root, its source package, its build.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Setup, content_key};
use crate::cache;
use crate::debian::Package;
use crate::enter::Root;
use crate::fetch::fetch;
use crate::plugin_host::{PluginHost, build, steps};
use crate::wanted::{PLUGIN_HOST, PLUGIN_HOST_SOURCE};

impl Setup<'_> {
    /// A Nix with shared libraries, built when what it is made of changed or it is missing.
    ///
    /// # Errors
    /// When a package cannot be had or the build fails.
    pub fn plugin_host(&mut self) -> Result<PluginHost> {
        let root = self.root(&PLUGIN_HOST)?;
        let built_in = root.parent().and_then(Path::file_name);
        let built_in = built_in.and_then(|name| name.to_str());
        let built_in = built_in.context("the cache's path is no UTF-8")?;
        let mut wish = steps::recipe();
        wish.extend([PLUGIN_HOST_SOURCE, built_in]);
        let wish = cache::key(wish);
        let record = self.cache.folder("resolved")?;
        let record = record.join(format!("plugin-host-{wish}.json"));
        let folder = match self.known(&record) {
            Some(folder) => folder,
            None => {
                let files = self.sources()?;
                let sources = content_key(&files);
                let folder = self.cache.folder("plugin-host")?;
                let folder = folder.join(cache::key([wish.as_str(), &sources]));
                let archives = self.archives()?;
                cache::complete(&folder, |folder| {
                    build::build(&Root::at(&root), &archives, &files, folder)
                })?;
                self.remember(&record, files, &folder)?
            }
        };
        Ok(PluginHost {
            nix: folder.join("nix"),
            root,
        })
    }

    /// The files of the source package, fetched.
    fn sources(&mut self) -> Result<Vec<Package>> {
        let archives = self.archives()?;
        let apt = self.apt(PLUGIN_HOST.suite)?;
        let files = apt.source(PLUGIN_HOST_SOURCE)?;
        let title = format!("Fetching the source package {PLUGIN_HOST_SOURCE}");
        fetch(&title, &archives, &files, || {
            apt.fetch_source(PLUGIN_HOST_SOURCE)
        })?;
        Ok(files)
    }
}
