"""Answers with the header that its argument names, as Flask tells of it."""

import sys

from flask import Flask, request

NAME, PORT = sys.argv[1], int(sys.argv[2])
app = Flask(__name__)


@app.get("/")
def told():
    return request.headers.get(NAME, ""), {"content-type": "text/plain"}


app.run("127.0.0.1", PORT)
