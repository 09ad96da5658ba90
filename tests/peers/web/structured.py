"""Answers with the certificate in `Client-Cert`, as http-sf parses it: base64 of its DER."""

import base64
import http.server
import sys

import http_sf


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The whole answer at once, without which each waits for an acknowledgement.
    wbufsize = -1

    def do_GET(self):
        status, body = 200, b""
        values = self.headers.get_all("Client-Cert", [])
        try:
            if values:
                certificate, _ = http_sf.parse(",".join(values).encode(), tltype="item")
                body = base64.b64encode(certificate)
            chain = self.headers.get_all("Client-Cert-Chain", [])
            if chain:
                http_sf.parse(",".join(chain).encode(), tltype="list")
        except (ValueError, TypeError) as error:
            status, body = 400, str(error).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
