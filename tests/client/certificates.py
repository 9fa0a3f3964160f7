"""certificates.py - an authority and certificates for tests, made with the openssl command.

P-256 keys; a module's identity is the URI subject alternative name (protocol, section 1).
"""

import os
import secrets
import subprocess
import threading


class Credentials:
    """A certificate, its key, and the authority that the holder trusts: three file names."""

    def __init__(self, ca, certificate, key):
        self.ca = ca
        self.certificate = certificate
        self.key = key


class Authority:
    """An authority in a directory of its own; opens the one that is there, or makes it."""

    def __init__(self, directory, days=30, environment=None):
        """Certificates last so many days; the openssl command gets this environment as well."""
        self.directory = directory
        self.days = days
        self.environment = environment or {}
        self.ca = os.path.join(directory, "ca.crt")
        self.ca_key = os.path.join(directory, "ca.key")
        self.lock = threading.Lock()
        if not os.path.exists(self.ca):
            os.makedirs(directory, exist_ok=True)
            self._openssl("req", "-x509", *_NEW_KEY, "-keyout", self.ca_key, "-out", self.ca,
                          "-subj", "/CN=handoff test authority", "-days", str(days),
                          "-addext", "basicConstraints=critical,CA:TRUE",
                          "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, uris=(), dns=(), ips=(), cn=None, usage="clientAuth", days=None):
        """Makes a certificate; usage None: without that extension, days -1: expired."""
        key, csr, certificate, extensions = (
            os.path.join(self.directory, name + end) for end in (".key", ".csr", ".crt", ".ext"))
        names = (["URI:" + uri for uri in uris] + ["DNS:" + host for host in dns]
                 + ["IP:" + address for address in ips])
        with open(extensions, "w") as file:
            file.write("basicConstraints=critical,CA:FALSE\n")
            if usage:
                file.write("extendedKeyUsage=%s\n" % usage)
            if names:
                file.write("subjectAltName=%s\n" % ",".join(names))
        self._openssl("req", "-new", *_NEW_KEY, "-keyout", key, "-out", csr,
                      "-subj", "/CN=" + (cn or name))
        self._openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self.ca_key,
                      "-extfile", extensions, *_validity(self.days if days is None else days),
                      "-set_serial", str(secrets.randbits(63)), "-out", certificate)
        return Credentials(self.ca, certificate, key)

    def module(self, name):
        """The credentials of a module, made once: spiffe://test/module/<name>."""
        return self._once("module-" + name.lower(),
                          uris=["spiffe://test/module/" + name.lower()])

    def broker(self):
        return self._once("broker", dns=["localhost"], ips=["127.0.0.1"], usage="serverAuth")

    def _openssl(self, *arguments):
        _openssl(*arguments, environment=self.environment)

    def _once(self, name, **fields):
        with self.lock:
            certificate = os.path.join(self.directory, name + ".crt")
            if os.path.exists(certificate):
                return Credentials(self.ca, certificate,
                                   os.path.join(self.directory, name + ".key"))
            return self.issue(name, **fields)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _validity(days):
    """Options for so many days from now; -1: it has ended. OpenSSL 3.4 wants dates for that."""
    if days < 0 and "-not_before" in _openssl("x509", "-help"):
        return ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
    return ["-days", str(days)]


def _openssl(*arguments, environment=None):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (arguments[0], done.stderr))
    return done.stdout + done.stderr
