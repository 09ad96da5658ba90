"""Answers with the header that its argument names, as Django tells of it behind its own server."""

import sys

import django
from django.conf import settings
from django.core.servers.basehttp import run
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

NAME, PORT = sys.argv[1], int(sys.argv[2])
urlpatterns = [path("", lambda request: HttpResponse(request.headers.get(NAME, ""), content_type="text/plain"))]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
django.setup()
run("127.0.0.1", PORT, get_wsgi_application(), threading=True)
