"""OpenStack Swift with its S3 interface on one machine: signatures are checked, conditional writes are answered 501.

    python swift_server.py FOLDER PORT

Account, container and object server and the proxy before them, as processes of their own; prints "ready", ends
with its stdin.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

USER = "test:tester"

COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
user = {user}
log_level = ERROR
log_address = {folder}/no-syslog
"""
STORAGE = """\
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper cache s3api tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
conn_timeout = 20
error_suppression_limit = 1000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
check_bucket_owner = false
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
"""


def rings(folder: Path, ports: dict[str, int]) -> None:
    """One device, one copy."""
    from swift.common.ring import RingBuilder

    for kind, port in ports.items():
        builder = RingBuilder(4, 1, 1)
        builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def wait_for(port: int) -> None:
    """Until an HTTP server answers there."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)


def main(folder: Path, port: int) -> None:
    """Run until stdin ends."""
    import getpass

    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n")
    ports = {kind: port + 1 + number for number, kind in enumerate(("account", "container", "object"))}
    rings(folder, ports)
    processes = []
    for kind, own in {**ports, "proxy": port}.items():
        file = folder / f"{kind}-server.conf"
        common = COMMON.format(port=own, folder=folder, user=getpass.getuser())
        file.write_text(common + (PROXY if kind == "proxy" else STORAGE.format(kind=kind)))
        code = (
            "import sys; from swift.common import utils; "
            f"utils.SWIFT_CONF_FILE = utils.config.SWIFT_CONF_FILE = {str(folder / 'swift.conf')!r}; "
            f"from swift.common.wsgi import run_wsgi; sys.exit(run_wsgi({str(file)!r}, '{kind}-server'))"
        )
        processes.append(subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdin=subprocess.DEVNULL))
    try:
        for own in (*ports.values(), port):
            wait_for(own)
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        for process in processes:
            process.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
