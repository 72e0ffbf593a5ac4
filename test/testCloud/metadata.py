# The metadata service of a cloud, at http://169.254.169.254: it knows a machine by its address.
import http.server
import json
import secrets
import socket

tokens = set()


class Metadata(http.server.BaseHTTPRequestHandler):
    def machine(self):
        with open("/metadata/machines.json") as file:
            return json.load(file).get(self.client_address[0])

    def do_PUT(self):
        machine = self.machine()
        if not machine or not machine.get("imds") or self.path != "/latest/api/token":
            return self.answer(404, "")
        tokens.add(token := secrets.token_urlsafe(40))
        # What is sent from here on gets no further than this many hops.
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, machine["imds"]["hopLimit"])
        self.answer(200, token)

    def do_GET(self):
        machine = self.machine()
        if not machine or self.path != machine["path"]:
            return self.answer(404, "")
        imds = machine.get("imds")
        if imds and imds["tokens"] == "required" and self.headers["X-aws-ec2-metadata-token"] not in tokens:
            return self.answer(401, "")
        self.answer(200, machine["userData"])

    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


# Given an address, it would ask DNS for the name of that first.
http.server.ThreadingHTTPServer(("", 80), Metadata).serve_forever()
