"""A mail server (aiosmtpd) that says on standard output what it took, one JSON object a line.

The first line is its port. `--certificate` and `--key` make it demand STARTTLS, `--password` a login;
`--busy N` answers the first N messages with 451.
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(told):
    print(json.dumps(told), flush=True)


class Taker:
    def __init__(self, busy):
        self.busy = busy

    async def handle_DATA(self, server, session, envelope):
        if self.busy > 0:
            self.busy -= 1
            say({"busy": True})
            return "451 try again"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        raw = [line for line in envelope.content.split(b"\r\n") if line.lower().startswith(b"subject:")]
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "id": mail["Message-ID"],
            "auto": mail["Auto-Submitted"],
            "subject": mail["Subject"],
            "subject_is_ascii": all(line.isascii() for line in raw),
            "body": mail.get_content(),
        })
        return "250 taken"


def main():
    wants = argparse.ArgumentParser()
    wants.add_argument("--certificate")
    wants.add_argument("--key")
    wants.add_argument("--password")
    wants.add_argument("--busy", type=int, default=0)
    wanted = wants.parse_args()
    tls = None
    if wanted.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(wanted.certificate, wanted.key)

    def authenticate(server, session, envelope, mechanism, data):
        fits = data.password == wanted.password.encode()
        return AuthResult(success=fits, auth_data=data)

    taker = Taker(wanted.busy)

    def dialogue():
        return SMTP(
            taker,
            hostname="mail.test",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=authenticate if wanted.password else None,
            auth_required=wanted.password is not None,
        )

    async def serve():
        server = await asyncio.get_running_loop().create_server(dialogue, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main())
