import io.undertow.Undertow;
import io.undertow.server.handlers.SSLHeaderHandler;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.util.ServerInfo;
import org.apache.catalina.valves.SSLValve;

/**
 * Servers that answer with the client certificate they were told of: its SHA-256, or a hyphen, and the cipher suite.
 * They stop when standard input ends. Arguments: a folder to write in, then for each server `tomcat`,
 * `tomcat=HEADER` or `undertow`; prints "ARGUMENT VERSION PORT".
 */
public class Readers {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++) {
            String[] argument = args[i].split("=");
            if (argument[0].equals("undertow")) {
                undertow();
            } else {
                tomcat(args[i], args[0] + "/" + i, argument.length > 1 ? argument[1] : null);
            }
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }

    /** SSLValve as it comes, or with both of its certificate headers under one name. */
    private static void tomcat(String argument, String folder, String header) throws Exception {
        var tomcat = new Tomcat();
        tomcat.setBaseDir(folder);
        var connector = new Connector();
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        tomcat.setConnector(connector);
        var valve = new SSLValve();
        if (header != null) {
            valve.setSslClientCertHeader(header);
            valve.setSslClientEscapedCertHeader(header);
        }
        tomcat.getEngine().getPipeline().addValve(valve);
        var context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "who", new HttpServlet() {
            @Override
            protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
                var chain = (X509Certificate[]) request.getAttribute("jakarta.servlet.request.X509Certificate");
                var cipher = request.getAttribute("jakarta.servlet.request.cipher_suite");
                response.getWriter().print(name(chain == null ? null : chain[0]) + " " + cipher);
            }
        });
        context.addServletMappingDecoded("/", "who");
        tomcat.start();
        System.out.println(argument + " " + ServerInfo.getServerNumber() + " " + connector.getLocalPort());
    }

    private static void undertow() {
        var server = Undertow.builder().addHttpListener(0, "127.0.0.1").setHandler(new SSLHeaderHandler(exchange -> {
            var session = exchange.getConnection().getSslSessionInfo();
            X509Certificate certificate = null;
            if (session != null) {
                try {
                    certificate = (X509Certificate) session.getPeerCertificates()[0];
                } catch (javax.net.ssl.SSLPeerUnverifiedException
                    | io.undertow.server.RenegotiationRequiredException none) {
                    certificate = null;
                }
            }
            exchange.getResponseSender().send(name(certificate) + " " + (session == null ? null : session.getCipherSuite()));
        })).build();
        server.start();
        var address = (InetSocketAddress) server.getListenerInfo().get(0).getAddress();
        System.out.println("undertow " + io.undertow.Version.getVersionString() + " " + address.getPort());
    }

    private static String name(java.security.cert.Certificate certificate) {
        try {
            return certificate == null ? "-"
                : HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
        } catch (java.security.GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }
}
