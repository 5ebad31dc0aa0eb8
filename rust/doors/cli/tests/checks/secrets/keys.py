# Keys in OpenSSH's form by python-cryptography, and an identity of age by BIP 173, each with the public half that its fingerprint is of.
import base64
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa, x25519


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)


def openssh(name, key, encryption):
    write(name, key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, encryption))
    line = key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)
    write(name + ".public", base64.b64decode(line.split()[1]))


openssh("openssh", ed25519.Ed25519PrivateKey.generate(), s.NoEncryption())
openssh("openssh-rsa", rsa.generate_private_key(65537, 3072), s.NoEncryption())
openssh("openssh-encrypted", ed25519.Ed25519PrivateKey.generate(), s.BestAvailableEncryption(b"x"))

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            check ^= term if (top >> bit) & 1 else 0
    return check


def bech32(prefix, payload):
    bits = "".join(f"{byte:08b}" for byte in payload)
    bits += "0" * (-len(bits) % 5)
    digits = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(expanded + digits + [0] * 6) ^ 1
    digits += [check >> 5 * (5 - place) & 31 for place in range(6)]
    return prefix + "1" + "".join(LETTERS[digit] for digit in digits)


key = x25519.X25519PrivateKey.generate()
secret = key.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, s.NoEncryption())
text = "# created: 2026-01-01T00:00:00Z\n" + bech32("age-secret-key-", secret).upper() + "\n"
write("age", text.encode())
write("age.public", key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo))
