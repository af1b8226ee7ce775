"""What stands before Kubernetes' API server: TLS, tokens of service accounts, and roles (RBAC)."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from factories.api_server import ApiServer, Object

ADMIN = "admin"
"""A token that may do everything."""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass
class Guard:
    """Lets through who is known and whom a Role of the server allows it.

    Attributes:
        server: Whose Roles and RoleBindings count; set once it runs.
        accounts: Namespace and name of a service account, by token.
        asked: Account, verb and resource of every request that was allowed or not.
    """

    server: ApiServer | None = None
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def middleware(self) -> Any:
        """For `factories.api_server.api_server`."""

        @web.middleware
        async def check(request: web.Request, handler: Any) -> web.StreamResponse:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme == "Bearer" and token == ADMIN:
                return await handler(request)
            if scheme != "Bearer" or token not in self.accounts:
                return _status(401, "Unauthorized", "Unauthorized")
            return await handler(request) if self._allows(request, token) else self._refusal(request, token)

        return check

    def _allows(self, request: web.Request, token: str) -> bool:
        at, what = self.accounts[token], request.match_info
        self.asked.append((at[1], _verb(request), what.get("plural", request.path)))
        return self.server is not None and any(
            _verb(request) in rule["verbs"]
            and what.get("group", "") in rule["apiGroups"]
            and what.get("plural") in rule["resources"]
            for rule in _rules(self.server.objects, what.get("namespace", ""), at)
        )

    def _refusal(self, request: web.Request, token: str) -> web.Response:
        what, (namespace, name) = request.match_info, self.accounts[token]
        plural, group, there = (what.get(name) for name in ("plural", "group", "namespace"))
        said = (
            f'{plural}.{group} is forbidden: User "system:serviceaccount:{namespace}:{name}" cannot'
            f' {_verb(request)} resource "{plural}" in API group "{group}" in the namespace "{there}"'
        )
        return _status(403, "Forbidden", said)


@dataclass(frozen=True)
class Authority:
    """A certificate authority and a server's certificate, in files.

    Attributes:
        certificate: The authority's own, PEM.
    """

    certificate: Path
    _chain: Path
    _key: Path

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """An authority that signs for 127.0.0.1."""
        made = cls(folder / "ca.crt", folder / "server.crt", folder / "server.key")
        own, servers = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
        root = _unsigned(issuer, issuer, own.public_key())
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
        leaf = _unsigned(subject, issuer, servers.public_key())
        there = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        leaf = leaf.add_extension(x509.SubjectAlternativeName([there]), critical=False)
        pem = serialization.Encoding.PEM
        made.certificate.write_bytes(root.sign(own, hashes.SHA256()).public_bytes(pem))
        made._chain.write_bytes(leaf.sign(own, hashes.SHA256()).public_bytes(pem))
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        made._key.write_bytes(servers.private_bytes(pem, *plain))
        return made

    def context(self) -> ssl.SSLContext:
        """The server's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._chain, self._key)
        return context


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
    )


def _rules(
    objects: Mapping[tuple[str, str], Object], namespace: str, account: tuple[str, str]
) -> list[Object]:
    """Rules of the Roles that are bound to an account in a namespace."""
    bound = [
        found["roleRef"]["name"]
        for (kind, _), found in objects.items()
        if kind == "RoleBinding" and found["metadata"]["namespace"] == namespace
        for subject in found["subjects"]
        if (subject["kind"], subject.get("namespace", namespace), subject["name"])
        == ("ServiceAccount", *account)
    ]
    roles = [objects["Role", name] for name in bound if ("Role", name) in objects]
    return [rule for role in roles if role["metadata"]["namespace"] == namespace for rule in role["rules"]]


def _verb(request: web.Request) -> str:
    return _VERBS.get(request.method, "get" if "name" in request.match_info else "list")


def _status(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response({**status, "code": code}, status=code)
