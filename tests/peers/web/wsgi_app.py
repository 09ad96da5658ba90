"""Answers with the header that the environment names, as WSGI tells of it."""

import os

KEY = "HTTP_" + os.environ["NAME"].upper().replace("-", "_")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ.get(KEY, "").encode("latin-1")]
