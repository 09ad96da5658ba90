import java.nio.charset.StandardCharsets;
import java.util.TreeSet;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.ForwardedRequestCustomizer;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;

/** Answers with what Jetty's ForwardedRequestCustomizer makes of a request's headers. Argument: the port. */
public class Reader {
    public static void main(String[] args) throws Exception {
        var server = new Server();
        var configuration = new HttpConfiguration();
        configuration.setRequestHeaderSize(65536);
        configuration.addCustomizer(new ForwardedRequestCustomizer());
        var connector = new ServerConnector(server, new HttpConnectionFactory(configuration));
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(args[0]));
        server.addConnector(connector);
        server.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                var told = new TreeSet<String>();
                for (var name : request.getAttributeNameSet()) {
                    if (name.toLowerCase().matches(".*(ssl|cipher|cert|secure).*")) {
                        told.add(name + "=" + request.getAttribute(name));
                    }
                }
                Content.Sink.write(response, true, told.toString(), callback);
                return true;
            }
        });
        server.start();
        server.join();
    }
}
