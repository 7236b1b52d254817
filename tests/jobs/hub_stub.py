"""The part of the hub's HTTP API that an upload and a download use, on this machine, in memory.

After huggingface_hub 2.4: repos/create, validate-yaml, preupload, git-lfs batch and upload, commit;
model info and resolve.
"""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40


class Hub:
    """What the stub holds and what it was asked.

    Attributes:
        repositories: files by name, of each repository.
        private: whether only its owner may read it, of each repository.
        requests: (method, path, token) of everything that it was asked.
        refuses: paths that it answers with a status, by a part of the path.
    """

    def __init__(self):
        self.repositories, self.private, self.requests, self.refuses = {}, {}, [], {}
        self.stored = {}
        self.address = ""


@contextlib.contextmanager
def serving():
    """A running hub."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content, status=200, **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def dispatch(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.hub.requests.append((self.command, path, token))
        for part, status in self.hub.refuses.items():
            if part in path:
                return self.answer({"error": "not for you"}, status)
        if self.command == "PUT":
            self.hub.stored[path.rpartition("/")[2]] = body
            return self.answer(b"")
        if "/resolve/" in path:
            return self.resolve(path)
        return self.api(path, json.loads(body) if body and "/commit/" not in path else body)

    do_GET = do_POST = do_PUT = do_HEAD = dispatch

    def api(self, path, asked):
        hub, parts = self.hub, path.strip("/").split("/")
        if path == "/api/repos/create":
            name = f"{asked['organization']}/{asked['name']}"
            known = name in hub.repositories
            if not known:
                hub.repositories[name], hub.private[name] = {}, asked.get("visibility") == "private"
            url = {"url": f"{hub.address}/{name}", "name": name, "id": name}
            return self.answer(url, 409 if known else 200)
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if path.endswith("/info/lfs/objects/batch"):
            return self.answer({"objects": [self.upload(each) for each in asked["objects"]]})
        name = "/".join(parts[2:4])
        if "preupload" in parts:
            return self.answer({"files": [self.mode(each["path"]) for each in asked["files"]]})
        if "commit" in parts:
            return self.commit(name, asked)
        if "tree" in parts:  # of a folder: there are none
            return self.answer({"error": "no such folder"}, 404, X_Error_Code="EntryNotFound")
        if parts[:2] == ["api", "models"] and name in hub.repositories:
            files = [{"rfilename": file} for file in hub.repositories[name]]
            known = {"id": name, "private": hub.private[name], "sha": COMMIT, "siblings": files}
            return self.answer(known)
        return self.answer({"error": "there is no such thing"}, 404)

    def mode(self, path):
        how = "lfs" if path.endswith(".safetensors") else "regular"
        return {"path": path, "uploadMode": how, "shouldIgnore": False}

    def upload(self, file):
        return {**file, "actions": {"upload": {"href": f"{self.hub.address}/store/{file['oid']}"}}}

    def commit(self, name, body):
        files = self.hub.repositories[name]
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                content = self.hub.stored[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                files[value["path"]] = content
        url = f"{self.hub.address}/{name}/commit/{COMMIT}"
        return self.answer({"commitUrl": url, "commitOid": COMMIT})

    def resolve(self, path):
        name, _, rest = path.strip("/").partition("/resolve/")
        content = self.hub.repositories.get(name, {}).get(rest.partition("/")[2])
        if content is None:
            return self.answer(b"", 404, X_Error_Code="EntryNotFound")
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(content, ETag=etag, X_Repo_Commit=COMMIT)
