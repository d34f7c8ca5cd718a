"""What Schemathesis needs to know of the relay: how a webhook is signed, whose token goes where, and the
code of a page of state.

Every request that a source's platform would send is signed when its bytes are known, as the platform
does it, so that what is generated gets past the signature. A request that is generated without its
proof, or with a wrong one, stays as it is.
"""

import base64
import hashlib
import hmac
import os
import time

import schemathesis
from requests.auth import AuthBase

SECRET = base64.b64decode(os.environ["API_TEST_SECRET"].removeprefix("whsec_"))
SENDER_TOKEN = os.environ["API_TEST_SENDER_TOKEN"]

# The code of the document's example, and one that there is.
EXAMPLE_CODE = "9f86d081884c7d659a2feaa0c55ad015"
STATUS_CODE = os.environ["API_TEST_STATUS_CODE"]


class StandardWebhooks(AuthBase):
    """Signs a request as Standard Webhooks 1.0 has it."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        message_id, now = "msg_" + hashlib.sha256(body).hexdigest()[:16], str(int(time.time()))
        signed = f"{message_id}.{now}.".encode() + body
        signature = base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
        request.headers["webhook-id"] = message_id
        request.headers["webhook-timestamp"] = now
        request.headers["webhook-signature"] = f"v1,{signature}"
        return request


class SenderToken(AuthBase):
    """The token of the OpenDSR source."""

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {SENDER_TOKEN}"
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if case.path_parameters.get("code") == EXAMPLE_CODE:
        case.path_parameters["code"] = STATUS_CODE
    if path == "/webhooks/{source}":
        kwargs["auth"] = StandardWebhooks()
    elif path.startswith("/webhooks/"):
        kwargs["auth"] = SenderToken()
