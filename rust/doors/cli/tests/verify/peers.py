# What other verifiers say of images. Standard input: a JSON list of {"name", "image", "certificate", "db", "dbx"} (paths; the
# certificate is PEM; "certificate" and "dbx" may be null). Standard output: by name, by peer, true (accepted) or false.
import json, os, signal, subprocess, sys

from cryptography.hazmat.primitives.serialization import pkcs7
import pefile
from virt.firmware.efi import siglist
from virt.peutils import pesign

try:
    import lief
except ImportError:
    lief = None


def ends_well(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode == 0


def sbverify(case):
    if case["certificate"]:
        return ends_well("sbverify", "--cert", case["certificate"], case["image"])


def osslsigncode(case):
    if case["certificate"]:
        return ends_well("osslsigncode", "verify", "-ignore-cdp", "-ignore-crl", "-CAfile", case["certificate"], "-in", case["image"])


def pesigcheck(case):
    # A variable's value for db; it does not take an empty one.
    dbx = ["--dbxfile", case["dbx"]] if case["dbx"] else []
    if os.path.getsize(case["db"]):
        return ends_well("pesigcheck", "--no-system-db=1", "--dbfile", case["db"], *dbx, "--in", case["image"])


def lief_checks(case):
    """Whether each signature is one of this image, whoever made it."""
    if lief is None:
        return None
    image = lief.PE.parse(case["image"])
    if image is None:
        return False
    return image.verify_signature() == lief.PE.Signature.VERIFICATION_FLAGS.OK


class Variable:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.sigdb = siglist.EfiSigDB(file.read())


def virt_firmware(case):
    """Whether digest or certificates stand in the lists; it does not verify signatures."""
    image = pefile.PE(case["image"], fast_load=True)
    digest = pesign.pe_authenticode_hash(image)
    signatures = pesign.pe_type2_signatures(image)

    def found(path):
        variable = Variable(path)
        return bool(pesign.pe_check_hash(digest, variable) or pesign.pe_check_cert(signatures, variable))

    if case["dbx"] and found(case["dbx"]):
        return False
    return found(case["db"])


PEERS = {
    "sbverify": sbverify,
    "osslsigncode": osslsigncode,
    "pesigcheck": pesigcheck,
    "LIEF": lief_checks,
    "virt-firmware": virt_firmware,
}

class Endless(Exception):
    pass


def give_up(*_):
    raise Endless


def ask(judge, case):
    """A peer that ends with an error, or not at all, does not accept the image."""
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        return judge(case)
    except (Exception, Endless):
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


signal.signal(signal.SIGALRM, give_up)
answer = {}
for case in json.load(sys.stdin):
    said = {name: ask(judge, case) for name, judge in PEERS.items()}
    answer[case["name"]] = {name: verdict for name, verdict in said.items() if verdict is not None}
json.dump(answer, sys.stdout)
