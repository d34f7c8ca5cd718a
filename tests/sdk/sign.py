"""Plays senders that sign tokens with PyJWT. Standard input is a JSON array of requests; for each,
one line of JSON is written. Keys are generated for one run.

The times are what Python programs write: `time.time()`, which has a fraction.
"""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KEYS = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def token(request):
    algorithm = request["algorithm"]
    key = KEYS[algorithm]()
    now = time.time() // 1 + 0.25
    times = {name: now + offset for name, offset in request["offsets"].items()}
    claims = {**request["claims"], **times}
    public = key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    headers = {"kid": request["kid"]} if "kid" in request else None
    encoded = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    return {"token": encoded, "pem": pem.decode(), "jwk": {**jwk, **(headers or {})}}


for request in json.load(sys.stdin):
    print(json.dumps(token(request)))
