import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.ZonedDateTime;

/** Answers GET /Europe/Paris with the time there. */
public final class Clock {
    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", Clock::answer);
        server.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(0)));
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String zone = exchange.getRequestURI().getPath().substring(1);
        int status = 200;
        String text;
        try {
            text = ZonedDateTime.now(ZoneId.of(zone.isEmpty() ? "UTC" : zone)).toString();
        } catch (DateTimeException error) {
            status = 404;
            text = error.getMessage();
        }
        byte[] body = (text + "\n").getBytes();
        exchange.sendResponseHeaders(status, body.length);
        try (exchange) {
            exchange.getResponseBody().write(body);
        }
    }
}
