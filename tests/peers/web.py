"""Web frameworks and servers as readers: which header reaches the program, and in which spellings."""

import base64
import hashlib
import pathlib
import shutil
import sys
import urllib.parse

from cryptography import x509

from process import NotStarted, Process, free_port, run
from readers import Running, get

HERE = pathlib.Path(__file__).resolve().parent
WEB = HERE / "web"
PYTHON = ["Django==5.2.19", "Flask==3.1.3", "gunicorn==27.0.1", "waitress==3.0.2", "http-sf==1.5.0"]
NGINX_NAME = "X-SSL-Client-Cert"


def fingerprint(text):
    """Of a certificate in the text of a header, however it is spelt there."""
    text = urllib.parse.unquote(text)
    try:
        if "-----BEGIN" in text:
            base = text.split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
        else:
            base = text.strip(":")
        der = base64.b64decode("".join(base.split()), validate=True)
        x509.load_der_x509_certificate(der)
        return hashlib.sha256(der).hexdigest()
    except (ValueError, IndexError):
        return f"no certificate: {text[:20]}"


class App:
    """A program whose answer is the value of the header."""

    def __init__(self, cache, pki, name, command, header=NGINX_NAME, needs=None, version=None, environment=None):
        self.cache, self.pki, self.name, self.title = cache, pki, name, name
        self.command, self.header, self.needs, self.find = command, header, needs, version
        self.environment = environment

    def __enter__(self):
        if self.needs and not shutil.which(self.needs):
            raise NotStarted(f"{self.needs} is not installed")
        version = self.find()
        port = free_port()
        command = [str(part).replace("PORT", str(port)).replace("NAME", self.header) for part in self.command]
        libraries = str(python_libraries(self.cache))
        self.process = Process(command, self.cache / "app.log", {
            "NAME": self.header, "PYTHONPATH": f"{libraries}:{WEB}", "PYTHONDONTWRITEBYTECODE": "1",
            **(self.environment or {})})
        self.process.listens(port)
        return Running(self.name, version, port, self.believed)

    def __exit__(self, *_):
        self.process.stop()

    def believed(self, connection, headers):
        response, body = get(connection, "GET", "/", headers)
        if response.status != 200:
            return f"status {response.status}"
        text = body.decode("latin-1").strip()
        return self.pki.who(fingerprint(text)) if text else "nobody"


def python_libraries(cache):
    home = cache / "web-python"
    if not home.exists():
        run([sys.executable, "-m", "pip", "install", "-q", "--root-user-action=ignore", "--target", str(home), *PYTHON])
    return home


def of_package(cache, name):
    def version():
        found = [path.name for path in python_libraries(cache).iterdir()
                 if path.name.lower().startswith(name + "-") and path.name.endswith(".dist-info")]
        return found[0].removesuffix(".dist-info").split("-")[1]
    return version


def of_debian(*packages):
    return lambda: ", ".join(
        f"{package} {run(['dpkg-query', '-W', '-f', '${Version}', package]).split('-')[0]}" for package in packages)


class Fpm(App):
    """PHP-FPM behind nginx, which is what speaks HTTP to us."""

    def __init__(self, cache, pki, underscores):
        name = "PHP-FPM behind nginx" + (", `underscores_in_headers on`" if underscores else "")
        super().__init__(cache, pki, name, [], needs="nginx")
        self.underscores = "on" if underscores else "off"

    def __enter__(self):
        program = next((found for found in map(shutil.which, ["php-fpm", "php-fpm8.2", "php-fpm8.4"]) if found), None)
        if not program or not shutil.which("nginx"):
            raise NotStarted("php-fpm or nginx is not installed")
        folder, fpm, port = self.cache / "fpm", free_port(), free_port()
        folder.mkdir(exist_ok=True)
        (folder / "fpm.conf").write_text(f"""
[global]
error_log = {folder}/fpm.log
pid = {folder}/fpm.pid
[www]
user = nobody
group = nogroup
listen = 127.0.0.1:{fpm}
pm = static
pm.max_children = 2
""")
        (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn; events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder}; large_client_header_buffers 8 64k;
    underscores_in_headers {self.underscores};
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {WEB}/index.php;
            fastcgi_param NAME {self.header};
            fastcgi_pass 127.0.0.1:{fpm};
        }}
    }}
}}
""")
        self.fpm = Process([program, "-F", "-y", folder / "fpm.conf"], folder / "fpm.out")
        self.fpm.listens(fpm)
        nginx = ["nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
        self.process = Process(nginx, folder / "nginx.log")
        self.process.listens(port)
        version = run([program, "-v"]).split()[1]
        return Running(self.name, version, port, self.believed)

    def __exit__(self, *_):
        self.process.stop()
        self.fpm.stop()


def all_of(cache, pki):
    """Each with edge_proxy's arguments, and whether a chain arrives."""
    nginx = [(["--dialect", "nginx"], False)]
    python = sys.executable

    def app(name, command, version, **more):
        return App(cache, pki, name, command, version=version, **more), nginx

    yield app("Flask, its own server", [python, WEB / "flask_app.py", "NAME", "PORT"], of_package(cache, "flask"))
    yield app("Django, its own server", [python, WEB / "django_app.py", "NAME", "PORT"], of_package(cache, "django"))
    gunicorn = [python, "-m", "gunicorn", "--bind", "127.0.0.1:PORT", "--chdir", WEB, "--limit-request-field_size", "0"]
    for mapped in ["drop", "dangerous"]:
        name = "WSGI, gunicorn" + (f", `--header-map {mapped}`" if mapped != "drop" else "")
        yield app(name, [*gunicorn, "--header-map", mapped, "wsgi_app:application"], of_package(cache, "gunicorn"))
    yield app("WSGI, waitress", [python, "-m", "waitress", "--listen=127.0.0.1:PORT", "wsgi_app:application"],
              of_package(cache, "waitress"))
    yield app("Rack, puma", ["puma", "--bind", "tcp://127.0.0.1:PORT", "--quiet", WEB / "config.ru"],
              of_debian("ruby-rack", "puma"), needs="puma")
    yield app("PHP, `php -S`", ["php", "-S", "127.0.0.1:PORT", WEB / "index.php"], of_debian("php8.2-cli"), needs="php")
    for underscores in [False, True]:
        yield Fpm(cache, pki, underscores), nginx
    structured = App(cache, pki, "http-sf", [python, WEB / "structured.py", "NAME", "PORT"], "Client-Cert",
                     version=of_package(cache, "http_sf"))
    yield structured, [(["--dialect", "rfc9440"], True)]
