"""A private key lies in the repository.

Whoever can read the repository, now or ever, can sign with it. Taking the file away does not help, because Git keeps
it: replace the key (`flagctl key rotate`), and keep the new one in a file elsewhere or in a secret manager.

Below flags/ any private key is found; elsewhere in the repository those whose public half settings list. As long as
one lies there, nothing is published, in whichever environment.
"""

from __future__ import annotations

ID = "private-key"
SEVERITY = "error"
BAD = {
    "flags/release.pem": "-----BEGIN OPENSSH PRIVATE KEY-----   # <- for all to read\n",
}
GOOD: dict[str, str] = {}
