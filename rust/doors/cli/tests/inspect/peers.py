# What pefile and LIEF say of images: a JSON object by file. LIEF is left out where it cannot be imported.
import hashlib, json, sys

import pefile

try:
    import lief
except ImportError:
    lief = None


def digest(data, size):
    return hashlib.sha256(data[:size].ljust(size, b"\0")).hexdigest()


def by_pefile(path):
    image = pefile.PE(path, fast_load=True)
    optional = image.OPTIONAL_HEADER
    return {
        "machine": image.FILE_HEADER.Machine,
        "timeDateStamp": image.FILE_HEADER.TimeDateStamp,
        "entryPoint": optional.AddressOfEntryPoint,
        "imageBase": optional.ImageBase,
        "sectionAlignment": optional.SectionAlignment,
        "fileAlignment": optional.FileAlignment,
        "sizeOfImage": optional.SizeOfImage,
        "sizeOfHeaders": optional.SizeOfHeaders,
        "checkSum": optional.CheckSum,
        "dllCharacteristics": optional.DllCharacteristics,
        "characteristics": image.FILE_HEADER.Characteristics,
        "sections": [
            {
                "name": section.Name.rstrip(b"\0").decode(),
                "size": section.Misc_VirtualSize,
                "address": section.VirtualAddress,
                "rawSize": section.SizeOfRawData,
                "offset": section.PointerToRawData,
                "characteristics": section.Characteristics,
                "sha256": digest(section.get_data(), section.Misc_VirtualSize),
            }
            for section in image.sections
        ],
    }


def by_lief(path):
    image = lief.PE.parse(path)
    if image is None:
        return None
    optional = image.optional_header
    return {
        "timeDateStamp": image.header.time_date_stamps,
        "entryPoint": optional.addressof_entrypoint,
        "imageBase": optional.imagebase,
        "sectionAlignment": optional.section_alignment,
        "fileAlignment": optional.file_alignment,
        "sizeOfImage": optional.sizeof_image,
        "sizeOfHeaders": optional.sizeof_headers,
        "checkSum": optional.checksum,
        "dllCharacteristics": optional.dll_characteristics,
        "authenticodeSha256": image.authentihash_sha256.hex(),
        "sections": [
            {
                "name": section.name,
                "size": section.virtual_size,
                "address": section.virtual_address,
                "rawSize": section.sizeof_raw_data,
                "offset": section.pointerto_raw_data,
                "characteristics": section.characteristics,
                "sha256": digest(bytes(section.content), section.virtual_size),
            }
            for section in image.sections
        ],
    }


def extract(path):
    for index, section in enumerate(pefile.PE(path, fast_load=True).sections):
        with open(f"section-{index}", "wb") as file:
            data = section.get_data()[: section.Misc_VirtualSize]
            file.write(data.ljust(section.Misc_VirtualSize, b"\0"))


if sys.argv[1] == "extract":
    extract(sys.argv[2])
else:
    answer = {}
    for path in sys.argv[1:]:
        answer[path] = {"pefile": by_pefile(path), "lief": by_lief(path) if lief else None}
    json.dump(answer, sys.stdout)
