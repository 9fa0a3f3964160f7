"""forgery.py - certificates that no sound authority would issue, made with the openssl command.

What is forged says on its face what is wrong with it: each is right but for one thing.
"""

import os
import secrets
import subprocess

from certificates import Credentials

CONFIGURATION = """
[ca]
default_ca = forger
[forger]
database = {0}/index.txt
new_certs_dir = {0}
policy = anything
unique_subject = no
rand_serial = yes
email_in_dn = no
[anything]
commonName = optional
organizationName = optional
"""

KEYS = {
    "P-256": ("ec", "ec_paramgen_curve:P-256"),
    "P-384": ("ec", "ec_paramgen_curve:P-384"),
    "P-521": ("ec", "ec_paramgen_curve:P-521"),
    "secp256k1": ("ec", "ec_paramgen_curve:secp256k1"),
    "Ed25519": ("ed25519", None),
    "RSA-1024": ("rsa", "rsa_keygen_bits:1024"),
    "RSA-2048": ("rsa", "rsa_keygen_bits:2048"),
    "RSA-3072": ("rsa", "rsa_keygen_bits:3072"),
}

# What a module's certificate has. A value of None leaves the extension out.
SOUND = {
    "basicConstraints": "critical,CA:FALSE",
    "extendedKeyUsage": "clientAuth",
    "subjectAltName": "URI:spiffe://test/module/alpha",
}
AUTHORITY = {
    "basicConstraints": "critical,CA:TRUE",
    "keyUsage": "critical,keyCertSign,cRLSign",
}

# Choices of GeneralName, for names that OpenSSL would not write.
DNS, URI = 0x82, 0x86


def der_names(*names):
    """A subjectAltName of (choice, bytes), whatever the bytes are."""
    content = b"".join(bytes([choice]) + _der_length(len(name)) + name for choice, name in names)
    whole = b"\x30" + _der_length(len(content)) + content
    return "DER:" + ":".join("%02x" % byte for byte in whole)


def _der_length(n):
    if n < 0x80:
        return bytes([n])
    digits = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


class Forger:
    """Issues in the name of an authority, and of others that it makes itself."""

    def __init__(self, directory, authority):
        """`authority` is that of the broker under test."""
        self.directory = directory
        self.ca = Credentials(authority.ca, authority.ca, authority.ca_key)
        os.makedirs(directory, exist_ok=True)
        self.configuration = self._path("forger.cnf")
        with open(self.configuration, "w") as file:
            file.write(CONFIGURATION.format(directory))
        open(self._path("index.txt"), "w").close()

    def authority(self, name, by=None, subject=None, **changes):
        """An authority of its own, or with `by` one below another."""
        return self.issue(name, by, subject, extensions={**AUTHORITY, **changes}, selfsigned=not by)

    def issue(self, name, by=None, subject=None, key="P-256", digest="sha256",
              start="20200101000000Z", end="20991231235959Z", extensions=None, selfsigned=False,
              **changes):
        """A certificate: sound, but for the changes to extensions and what else is given."""
        request, key_file = self._path(name + ".csr"), self._path(name + ".key")
        certificate, extension_file = self._path(name + ".crt"), self._path(name + ".ext")
        kind, option = KEYS[key]
        _openssl("req", "-new", "-utf8", "-nodes", "-newkey", kind,
                 *(["-pkeyopt", option] if option else []), "-keyout", key_file, "-out", request,
                 "-subj", subject or "/CN=" + name)
        with open(extension_file, "w") as file:
            for extension, value in {**(extensions or SOUND), **changes}.items():
                if value is not None:
                    file.write("%s = %s\n" % (extension, value))
        signer = by or self.ca
        _openssl("ca", "-config", self.configuration, "-batch", "-notext", "-utf8", "-md",
                 "null" if key == "Ed25519" and selfsigned else digest, "-preserveDN",
                 "-startdate", start, "-enddate", end, "-extfile", extension_file,
                 "-in", request, "-out", certificate,
                 *(["-selfsign", "-keyfile", key_file] if selfsigned else
                   ["-cert", signer.certificate, "-keyfile", signer.key]))
        return Credentials(self.ca.ca, certificate, key_file)

    def chain(self, leaf, *above):
        """The same, showing certificates above it as well."""
        path = self._path("chain-%s.crt" % secrets.token_hex(4))
        with open(path, "w") as out:
            for one in (leaf, *above):
                with open(one.certificate) as file:
                    out.write(file.read())
        return Credentials(leaf.ca, path, leaf.key)

    def _path(self, name):
        return os.path.join(self.directory, name)


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True,
                          errors="backslashreplace")
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (" ".join(arguments), done.stderr))
