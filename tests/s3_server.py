"""OpenStack's Swift with its S3 API, all four of its servers in one process: FOLDER PORT.

It is run by the system's Python, for which Debian packages it (swift-proxy, -account, -container,
-object); what it keeps lies in the folder, and is there when it is started again.
"""

import sys
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

USER, KEY = "test:tester", "s3cr3t-4711"
PIPELINE = "catch_errors proxy_logging cache listing_formats s3api tempauth bulk copy slo"
FILTERS = {
    "cache": "use = egg:swift#memcache\nmemcache_servers = 127.0.0.1:9",  # none answers there
    "tempauth": f"use = egg:swift#tempauth\nuser_{USER.replace(':', '_')} = {KEY} .admin",
}

folder, port = Path(sys.argv[1]), int(sys.argv[2])
common = f"[DEFAULT]\nswift_dir = {folder}\ndevices = {folder}\nmount_check = false\n"
common += "log_address = /dev/null\n"
(folder / "disk").mkdir(exist_ok=True)
(folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = avtool\n")
utils.set_swift_dir(str(folder))
for kind in ("account", "container", "object", "proxy"):
    words = "" if kind == "proxy" else f"{PIPELINE} "
    sock = eventlet.listen(("127.0.0.1", port if kind == "proxy" else 0))
    conf = (
        f"{common}[pipeline:main]\npipeline = {PIPELINE if kind == 'proxy' else ''} {kind}-server\n"
    )
    conf += f"[app:{kind}-server]\nuse = egg:swift#{kind}\naccount_autocreate = true\n"
    if kind == "proxy":
        for each in PIPELINE.split():
            conf += f"[filter:{each}]\n{FILTERS.get(each, f'use = egg:swift#{each}')}\n"
    else:
        place = {"ip": "127.0.0.1", "port": sock.getsockname()[1], "device": "disk"}
        ring = RingBuilder(0, 1, 0)
        ring.add_dev({"region": 1, "zone": 1, "weight": 1, **place})
        ring.rebalance()
        ring.get_ring().save(str(folder / f"{kind}.ring.gz"))
    (folder / f"{kind}.conf").write_text(conf)
    app = loadapp(str(folder / f"{kind}.conf"))
    # As Swift's own daemons serve it.
    how = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False}
    eventlet.spawn(wsgi.server, sock, app, log_output=False, debug=False, **how)
eventlet.sleep(3600)  # whoever starts it stops it long before
