// A proxy as a Go programmer writes it: httputil.ReverseProxy with Skipper's header and this crate's verdict.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strings"
)

const (
	certificate = "X-Forwarded-Tls-Client-Cert"
	verdict     = "X-Forwarded-Tls-Client-Cert-Verify"
)

func tell(state *tls.ConnectionState, to http.Header) {
	to.Del(certificate)
	to.Set(verdict, "NONE")
	if len(state.PeerCertificates) == 0 {
		return
	}
	var all []string
	for _, one := range state.PeerCertificates {
		all = append(all, base64.StdEncoding.EncodeToString(one.Raw))
	}
	to.Set(certificate, strings.Join(all, ","))
	to.Set(verdict, "FAILED:not verified")
	if len(state.VerifiedChains) > 0 {
		to.Set(verdict, "SUCCESS")
	}
}

func main() {
	hook := flag.String("hook", "rewrite", "rewrite or director")
	request := flag.Bool("request", false, "take a certificate that nobody verified")
	upstream := flag.String("upstream", "", "where to")
	cert, key, ca := flag.String("cert", "", ""), flag.String("key", "", ""), flag.String("ca", "", "")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(*ca)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.VerifyClientCertIfGiven}
	if *request {
		config.ClientAuth = tls.RequestClientCert
	}
	target := &url.URL{Scheme: "http", Host: *upstream}
	proxy := &httputil.ReverseProxy{}
	if *hook == "director" {
		proxy.Director = func(r *http.Request) {
			r.URL.Scheme, r.URL.Host = target.Scheme, target.Host
			tell(r.TLS, r.Header)
		}
	} else {
		proxy.Rewrite = func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			tell(r.In.TLS, r.Out.Header)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port, runtime.Version())
	log.Fatal(http.Serve(tls.NewListener(listener, config), proxy))
}
