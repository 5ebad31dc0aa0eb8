//! How much a FAT32 file system holds, and what files and folders take of it. Sources: Microsoft, "FAT: General Overview of On-Disk
//! Format" 1.03; what `mkfs.vfat -F 32` of dosfstools 4.2 makes, with which the tests compare every number.

/// The layout of a file system. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fat {
    /// Every file and folder is rounded up to a multiple of it.
    pub cluster_size: u64,
    /// Clusters for files and folders.
    pub clusters: u64,
}

/// Why there is no such file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFat {
    /// Sectors are of 512, 1024, 2048 or 4096 bytes.
    Sector,
    /// Clusters are of 1, 2, 4, … 128 sectors.
    Cluster,
    /// What has fewer than 65 525 clusters is FAT16 to whoever reads it.
    TooFewClusters(u64),
    /// More than 2²⁸ clusters, or 2³² sectors.
    TooLarge,
}

/// What stays free on every file system, in bytes: for what firmware and the boot loader write themselves.
pub const RESERVE: u64 = 1 << 20;
/// No file is larger, in bytes.
pub const LARGEST_FILE: u64 = u32::MAX as u64;
const RESERVED_SECTORS: u64 = 32;
const FATS: u64 = 2;
/// Bytes of a cluster's entry in a FAT.
const ENTRY: u64 = 4;
const FEWEST_CLUSTERS: u64 = 65_525;
const MOST_CLUSTERS: u64 = 0x0fff_fff4;
const MEBIBYTE: u64 = 1 << 20;
/// A folder's entry, and how many UTF-16 units of a name go into one.
const FOLDER_ENTRY: u64 = 32;
const NAME_UNITS: u64 = 13;

impl Fat {
    /// The file system that `mkfs.vfat -F 32` makes on this many bytes; `cluster_size` by its rule when not given.
    ///
    /// # Errors
    /// [`NoFat`].
    pub fn of(size: u64, sector: u64, cluster_size: Option<u64>) -> Result<Fat, NoFat> {
        if !matches!(sector, 512 | 1024 | 2048 | 4096) {
            return Err(NoFat::Sector);
        }
        let cluster_size = cluster_size.unwrap_or_else(|| usual_cluster(size).max(sector));
        let per_cluster = cluster_size / sector;
        if !per_cluster.is_power_of_two()
            || per_cluster > 128
            || !cluster_size.is_multiple_of(sector)
        {
            return Err(NoFat::Cluster);
        }
        let sectors = size / sector;
        let sectors = sectors / track(sectors) * track(sectors);
        if sectors > u64::from(u32::MAX) {
            return Err(NoFat::TooLarge);
        }
        let align = |sectors: u64| sectors.div_ceil(per_cluster) * per_cluster;
        let data = sectors.saturating_sub(align(RESERVED_SECTORS));
        let most = (data * sector + FATS * 8) / (cluster_size + FATS * ENTRY);
        let fat = align(((most + 2) * ENTRY).div_ceil(sector));
        let clusters = data.saturating_sub(FATS * fat) / per_cluster;
        match clusters {
            0..FEWEST_CLUSTERS => Err(NoFat::TooFewClusters(clusters)),
            FEWEST_CLUSTERS..=MOST_CLUSTERS => Ok(Fat {
                cluster_size,
                clusters,
            }),
            _ => Err(NoFat::TooLarge),
        }
    }

    /// The room that a file takes.
    pub fn rounded(self, size: u64) -> u64 {
        rounded(size, self.cluster_size)
    }

    /// The room that a folder takes with so many entries, each with a name of this many UTF-16 units.
    pub fn folder(self, entries: u64, name: u64) -> u64 {
        let of_one = entry(name);
        // Itself and the one above it.
        self.rounded(
            entries
                .saturating_mul(of_one)
                .saturating_add(2 * FOLDER_ENTRY),
        )
    }

    /// Everything that files and folders can take.
    pub fn room(self) -> u64 {
        self.clusters * self.cluster_size
    }
}

/// The room, in bytes, that a file of this size takes in clusters of this size.
pub fn rounded(size: u64, cluster: u64) -> u64 {
    size.div_ceil(cluster.max(1)).saturating_mul(cluster.max(1))
}

/// The room, in bytes, that a name takes in its folder: the short one, and a slot for every 13 UTF-16 units of the long one.
pub fn entry(units: u64) -> u64 {
    FOLDER_ENTRY * (1 + units.div_ceil(NAME_UNITS))
}

/// Sectors that count as a track: the size is rounded down to a multiple.
fn track(sectors: u64) -> u64 {
    if sectors <= 524_288 { 32 } else { 63 }
}

/// What `mkfs.vfat` takes when it is not told.
fn usual_cluster(size: u64) -> u64 {
    match size.div_ceil(MEBIBYTE) {
        0..=260 => 512,
        261..=8_192 => 4 << 10,
        8_193..=16_384 => 8 << 10,
        16_385..=32_768 => 16 << 10,
        _ => 32 << 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `mkfs.vfat` of dosfstools 4.2 makes it, and Linux counts it.
    #[test]
    fn a_file_system_of_300_mebibytes_has_76_643_clusters() {
        let fat = Fat::of(300 << 20, 512, None).unwrap();
        assert_eq!((fat.cluster_size, fat.clusters), (4096, 76_643));
    }

    #[test]
    fn files_are_rounded_up_to_clusters() {
        let sizes = [0, 1, 4096, 4097, u64::MAX];
        let rounded = sizes.map(|size| rounded(size, 4096));
        assert_eq!(rounded, [0, 4096, 4096, 8192, u64::MAX]);
        assert_eq!(super::rounded(7, 0), 7);
    }

    #[test]
    fn a_name_takes_a_slot_and_one_for_each_13_units() {
        let slots = [0, 1, 13, 14, 255].map(|units| entry(units) / 32);
        assert_eq!(slots, [1, 2, 2, 3, 21]);
    }
}
